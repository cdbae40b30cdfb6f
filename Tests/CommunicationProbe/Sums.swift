import Communication

/// Prints, on the root, one line per ordered sum with a hash of its bits. The lines depend neither on the number of ranks
/// nor on the size of the pieces.
func printSums(_ communicator: Communicator) throws {
    for shards in [1, 3, 5, 8] {
        let present = (0..<shards).map { _ in true }
        for count in [0, 1, 1003] {
            try printFloatSum(communicator, count: count, present: present)
        }
        try printFloatSum(communicator, count: 257, present: present.indices.map { $0 % 3 != 1 })
        try printFloatSum(communicator, count: 10, present: present.map { _ in false })
        try printDoubleSum(communicator, shards: shards)
    }
    // More than one block of an ordered sum on up to 3 ranks.
    try printFloatSum(communicator, count: 800_000, present: [true, true, false, true])
    let whole = communicator.maximumChunk
    communicator.maximumChunk = 7
    try printFloatSum(communicator, count: 257, present: [true, true, false, true, true])
    communicator.maximumChunk = whole
}

private func printFloatSum(_ communicator: Communicator, count: Int, present: [Bool]) throws {
    let partition = ShardPartition(shards: present.count, ranks: communicator.size)
    let own = partition.range(of: communicator.rank)
    let buffers = own.map { AdversarialFloats(shard: $0, count: count) }
    defer { buffers.forEach { $0.values.deallocate() } }
    let parts = zip(own, buffers).map { shard, buffer in present[shard] ? UnsafePointer(buffer.values) : nil }

    let result = UnsafeMutablePointer<Float>.allocate(capacity: max(count, 1))
    defer { result.deallocate() }
    result.initialize(repeating: .nan, count: count)
    try communicator.orderedSum(parts, present: present, count: count, partition: partition, into: result)
    let hash = try hashOnAllRanks(communicator, of: result, count: count)
    if communicator.isRoot { print("floats \(present) \(count): \(hash)") }

    let place = buffers.first?.values ?? result
    try communicator.orderedSum(parts, present: present, count: count, partition: partition, into: place)
    try expect(
        FNVHash(of: place, count: count) == FNVHash(of: result, count: count),
        "the sum in place of a part differs from that elsewhere")
}

private func printDoubleSum(_ communicator: Communicator, shards: Int) throws {
    let partition = ShardPartition(shards: shards, ranks: communicator.size)
    let parts = partition.range(of: communicator.rank).map { shard in
        let floats = AdversarialFloats(shard: shard, count: 1)
        defer { floats.values.deallocate() }
        return Double(floats.values[0]) * 1.000000001
    }
    let sum = try communicator.orderedSum(parts, partition: partition)
    if communicator.isRoot { print("doubles \(shards): \(String(sum.bitPattern, radix: 16))") }
}

private func hashOnAllRanks(
    _ communicator: Communicator, of values: UnsafePointer<Float>, count: Int
) throws -> String {
    let own = FNVHash(of: values, count: count)
    let all = try communicator.allGather(Int(bitPattern: UInt(own.value)))
    try expect(all.allSatisfy { $0 == all[0] }, "ranks hold different sums: \(all)")
    return String(own.value, radix: 16)
}

/// Floats of both signs over 80 binary orders of magnitude, with negative zeros, that depend on the shard alone: almost
/// any other order of summation gives other bits.
struct AdversarialFloats {
    let values: UnsafeMutablePointer<Float>

    init(shard: Int, count: Int) {
        values = .allocate(capacity: max(count, 1))
        values.initialize(repeating: -0.0, count: max(count, 1))
        var state = UInt64(shard + 1) &* 0x9E37_79B9_7F4A_7C15
        for index in 0..<count where index % 17 != 3 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let exponent = index % 2 == 0 ? Int(state >> 40 % 6) : Int(state >> 40 % 80) - 40
            let magnitude = Float(sign: .plus, exponent: exponent, significand: 1 + Float(state >> 45) / Float(1 << 19))
            values[index] = state >> 63 == 0 ? magnitude : -magnitude
        }
    }
}

/// The 64-bit FNV-1a hash over the words of a vector's bits.
struct FNVHash: Equatable {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    init(of values: UnsafePointer<Float>, count: Int) {
        for index in 0..<count { value = (value ^ UInt64(values[index].bitPattern)) &* 0x100_0000_01B3 }
    }
}
