import CMPI

// Moving bytes and values between ranks unchanged.

extension Communicator {
    /// Copies the root's bytes over every other rank's; all buffers have the same length.
    package func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) throws {
        checkRoot(root)
        guard size > 1, let base = bytes.baseAddress else { return }
        try inChunks(of: bytes.count) { start, length in
            try mpiCheck("MPI_Bcast") { MPI_Bcast(base + start, length, cmpi_byte(), Int32(root), world) }
        }
    }

    /// Returns the root's bytes on every rank. Only the root's argument counts, and its length need be known to it alone.
    package func broadcast(_ bytes: [UInt8], root: Int) throws -> [UInt8] {
        checkRoot(root)
        guard size > 1 else { return bytes }
        var length = Int64(bytes.count)
        try withUnsafeMutableBytes(of: &length) { try broadcast($0, root: root) }
        var result = rank == root ? bytes : [UInt8](repeating: 0, count: Int(length))
        try result.withUnsafeMutableBytes { try broadcast($0, root: root) }
        return result
    }

    /// Every rank's value, in rank order.
    package func allGather(_ value: Int) throws -> [Int] {
        guard size > 1 else { return [value] }
        let own = Int64(value)
        var all = [Int64](repeating: 0, count: size)
        try withUnsafePointer(to: own) { own in
            try mpiCheck("MPI_Allgather") { MPI_Allgather(own, 1, cmpi_int64(), &all, 1, cmpi_int64(), world) }
        }
        return all.map { Int($0) }
    }

    /// Every rank's values, in rank order; the same number of values on every rank. For short lists.
    package func allGather(_ values: [Double]) throws -> [[Double]] {
        guard size > 1 else { return [values] }
        let all = try allGather(values, counts: [Int](repeating: values.count, count: size))
        return (0..<size).map { Array(all[$0 * values.count..<($0 + 1) * values.count]) }
    }

    /// Every rank's bytes, in rank order, on the root; an empty array on the others. Lengths may differ.
    package func gather(_ bytes: [UInt8], root: Int) throws -> [[UInt8]] {
        checkRoot(root)
        guard size > 1 else { return [bytes] }
        let lengths = try allGather(bytes.count)
        guard rank == root else {
            try bytes.withUnsafeBytes { try send($0, to: root) }
            return []
        }
        return try lengths.enumerated().map { source, length in
            guard source != rank else { return bytes }
            var received = [UInt8](repeating: 0, count: length)
            try received.withUnsafeMutableBytes { try receive($0, from: source) }
            return received
        }
    }

    /// Writes every rank's floats one after another, in rank order, to `destination`. `counts[r]` is rank r's number of
    /// floats, the same on all ranks; `destination` holds their sum. `source` may be the own part's place in
    /// `destination`, but may not overlap `destination` otherwise.
    package func allGather(
        _ source: UnsafePointer<Float>, counts: [Int], into destination: UnsafeMutablePointer<Float>
    ) throws {
        checkCounts(counts)
        let offsets = Self.offsets(of: counts)
        let isInPlace = source == UnsafePointer(destination + offsets[rank])
        guard size > 1, counts.reduce(0, +) <= maximumChunk else {
            if !isInPlace { (destination + offsets[rank]).update(from: source, count: counts[rank]) }
            return try broadcastParts(of: destination, counts: counts, offsets: offsets)
        }
        let counts32 = counts.map { Int32($0) }
        let offsets32 = offsets.map { Int32($0) }
        let send = isInPlace ? UnsafeRawPointer(cmpi_in_place()) : UnsafeRawPointer(source)
        try mpiCheck("MPI_Allgatherv") {
            MPI_Allgatherv(send, counts32[rank], cmpi_float(), destination, counts32, offsets32, cmpi_float(), world)
        }
    }

    /// Every rank's values one after another, in rank order; `counts[r]` is their number on rank r. For short lists.
    func allGather(_ values: [Double], counts: [Int]) throws -> [Double] {
        checkCounts(counts)
        precondition(values.count == counts[rank], "rank \(rank): \(values.count) values, announced \(counts[rank])")
        guard size > 1 else { return values }
        let total = counts.reduce(0, +)
        precondition(total <= Int(Int32.max), "\(total) values gathered at once")
        var all = [Double](repeating: 0, count: total)
        let counts32 = counts.map { Int32($0) }
        let offsets32 = Self.offsets(of: counts).map { Int32($0) }
        try mpiCheck("MPI_Allgatherv") {
            MPI_Allgatherv(
                values, counts32[rank], cmpi_double(), &all, counts32, offsets32, cmpi_double(), world)
        }
        return all
    }

    /// Calls `body` with the start and length of consecutive pieces, each at most ``maximumChunk`` long.
    func inChunks(of count: Int, _ body: (_ start: Int, _ length: Int32) throws -> Void) rethrows {
        for start in stride(from: 0, to: count, by: maximumChunk) {
            try body(start, Int32(min(maximumChunk, count - start)))
        }
    }

    /// The gather for totals beyond one MPI call, whose offsets would not fit either.
    private func broadcastParts(of destination: UnsafeMutablePointer<Float>, counts: [Int], offsets: [Int]) throws {
        for source in 0..<size {
            let part = UnsafeMutableBufferPointer(start: destination + offsets[source], count: counts[source])
            try broadcast(UnsafeMutableRawBufferPointer(part), root: source)
        }
    }

    private func send(_ bytes: UnsafeRawBufferPointer, to rank: Int) throws {
        guard let base = bytes.baseAddress else { return }
        try inChunks(of: bytes.count) { start, length in
            try mpiCheck("MPI_Send") { MPI_Send(base + start, length, cmpi_byte(), Int32(rank), 0, world) }
        }
    }

    private func receive(_ bytes: UnsafeMutableRawBufferPointer, from rank: Int) throws {
        guard let base = bytes.baseAddress else { return }
        try inChunks(of: bytes.count) { start, length in
            try mpiCheck("MPI_Recv") {
                MPI_Recv(base + start, length, cmpi_byte(), Int32(rank), 0, world, cmpi_status_ignore())
            }
        }
    }

    private func checkRoot(_ root: Int) {
        precondition((0..<size).contains(root), "root \(root) of \(size) ranks")
    }

    private func checkCounts(_ counts: [Int]) {
        precondition(
            counts.count == size && counts.allSatisfy { $0 >= 0 }, "counts \(counts) for \(size) ranks")
    }

    private static func offsets(of counts: [Int]) -> [Int] {
        var offset = 0
        return counts.map { count in
            defer { offset += count }
            return offset
        }
    }
}
