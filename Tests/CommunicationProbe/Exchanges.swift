import Communication

/// Checks every exchange but the ordered sums on this rank, whole and in pieces; prints `exchanges agree` on the root.
func checkExchanges(_ communicator: Communicator) throws {
    let whole = communicator.maximumChunk
    for chunk in [whole, 5, 1] {
        communicator.maximumChunk = chunk
        try checkByteExchanges(communicator)
        try checkFloatGather(communicator)
        try checkFastSum(communicator)
    }
    communicator.maximumChunk = whole
    try checkValues(communicator)
    try communicator.barrier()
    if communicator.isRoot { print("exchanges agree") }
}

private func bytes(of rank: Int) -> [UInt8] { (0..<rank * 13).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ rank) } }

private func checkByteExchanges(_ communicator: Communicator) throws {
    for root in 0..<communicator.size {
        let gathered = try communicator.gather(bytes(of: communicator.rank), root: root)
        let expected = communicator.rank == root ? (0..<communicator.size).map { bytes(of: $0) } : []
        try expect(gathered == expected, "gather to \(root): \(gathered), expected \(expected)")

        let sent = try communicator.broadcast(bytes(of: communicator.rank), root: root)
        try expect(sent == bytes(of: root), "broadcast from \(root): \(sent)")

        var buffer = [UInt8](repeating: UInt8(communicator.rank), count: 12)
        try buffer.withUnsafeMutableBytes { try communicator.broadcast($0, root: root) }
        try expect(buffer == [UInt8](repeating: UInt8(root), count: 12), "broadcast in place from \(root): \(buffer)")
    }
}

/// Uneven counts, one of them 0.
private func checkFloatGather(_ communicator: Communicator) throws {
    let counts = (0..<communicator.size).map { ($0 * 5 + 3) % 8 }
    let expected = counts.enumerated().flatMap { rank, count in (0..<count).map { Float(rank * 100 + $0) } }
    let offset = counts[..<communicator.rank].reduce(0, +)
    let own = Array(expected[offset..<offset + counts[communicator.rank]])

    var gathered = [Float](repeating: -1, count: expected.count)
    try communicator.allGather(own + [0], counts: counts, into: &gathered)
    try expect(gathered == expected, "allGather: \(gathered), expected \(expected)")

    var inPlace = [Float](repeating: -1, count: expected.count + 1)
    inPlace.replaceSubrange(offset..<offset + own.count, with: own)
    try inPlace.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        try communicator.allGather(base + offset, counts: counts, into: base)
    }
    try expect(inPlace == expected + [-1], "allGather in place: \(inPlace), expected \(expected)")
}

private func checkFastSum(_ communicator: Communicator) throws {
    var values = (0..<23).map { Float($0 + communicator.rank) }
    try communicator.fastSum(&values, count: values.count)
    let (size, ranks) = (Float(communicator.size), Float(communicator.size * (communicator.size - 1) / 2))
    try expect(values == (0..<23).map { Float($0) * size + ranks }, "fastSum: \(values)")
}

private func checkValues(_ communicator: Communicator) throws {
    let (rank, size) = (communicator.rank, communicator.size)
    let rows = try communicator.allGather([Double(rank), -1.5])
    try expect(rows == (0..<size).map { [Double($0), -1.5] }, "allGather of doubles: \(rows)")
    let integers = try communicator.allGather(Int.max - rank)
    try expect(integers == (0..<size).map { Int.max - $0 }, "allGather of integers: \(integers)")

    try expect(try communicator.allAgree(true), "allAgree(true)")
    try expect(try communicator.allAgree(rank != size - 1) == false, "allAgree where the last rank does not")
    try expect(try communicator.anyTrue(rank == size - 1), "anyTrue where it is on the last rank")
    try expect(try communicator.anyTrue(false) == false, "anyTrue(false)")
    try expect(try communicator.maximum(Double(rank)) == Double(size - 1), "maximum of ranks")
    try expect(try communicator.minimum(Double(-rank)) == Double(1 - size), "minimum of negative ranks")
    try expect(try communicator.sum(Double(rank)) == Double(size * (size - 1) / 2), "sum of ranks")
}
