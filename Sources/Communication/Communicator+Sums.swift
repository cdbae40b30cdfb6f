import CMPI

// Combining the values of ranks. The ordered sums give the same bits on any number of ranks; the others do not promise it.

extension Communicator {
    /// The elementwise sum over all virtual shards' vectors through the ``SummationTree``: the same bits on every rank
    /// and for every number of ranks, NaN payloads excepted. Absent shards add nothing; with none present the sum is 0.
    ///
    /// Each rank sums one slice of the elements and then hands it to the others, so that it sends and receives
    /// about (its shards + 1) · count floats at most, and needs about 1 MiB of scratch for every shard of the others.
    ///
    /// - Parameters:
    ///   - parts: this rank's shards in order, `count` floats each; nil exactly where the shard is absent.
    ///   - present: for each of all the shards, whether it has a part; the same on all ranks. nil: all do.
    ///   - count: floats in a part, the same on all ranks.
    ///   - partition: which rank owns which shards; made for `size` ranks.
    ///   - result: `count` floats. May be one of the parts, but may not overlap one otherwise.
    package func orderedSum(
        _ parts: [UnsafePointer<Float>?], present: [Bool]? = nil, count: Int, partition: ShardPartition,
        into result: UnsafeMutablePointer<Float>
    ) throws {
        let present = present ?? [Bool](repeating: true, count: partition.shards)
        check(parts, present: present, partition: partition)
        guard size > 1 else { return SummationTree.sum(parts, count: count, into: result) }
        let blockLength = min(size << 18, maximumChunk)
        for start in stride(from: 0, to: count, by: blockLength) {
            let slices = ShardPartition(shards: min(blockLength, count - start), ranks: size)
            let block = parts.map { $0.map { $0 + start } }
            let leaves = try exchange(block, present: present, partition: partition, slices: slices)
            let ownSlice = result + start + slices.range(of: rank).lowerBound
            SummationTree.sum(leaves, count: slices.range(of: rank).count, into: ownSlice)
            try allGather(ownSlice, counts: slices.counts, into: result + start)
        }
    }

    /// The sum of one value per virtual shard through the ``SummationTree``, the same bits for every number of ranks.
    ///
    /// - Parameter parts: this rank's shards in order.
    package func orderedSum(_ parts: [Double], partition: ShardPartition) throws -> Double {
        precondition(partition.ranks == size, "a partition for \(partition.ranks) ranks among \(size)")
        return SummationTree.sum(try allGather(parts, counts: partition.counts)) ?? 0
    }

    /// The elementwise sum over ranks, in place, in whatever order MPI finds fastest: the bits may depend on the number of
    /// ranks.
    package func fastSum(_ values: UnsafeMutablePointer<Float>, count: Int) throws {
        guard size > 1 else { return }
        try inChunks(of: count) { start, length in
            try mpiCheck("MPI_Allreduce") {
                MPI_Allreduce(cmpi_in_place(), values + start, length, cmpi_float(), cmpi_sum(), world)
            }
        }
    }

    /// Whether `condition` holds on all ranks.
    package func allAgree(_ condition: Bool) throws -> Bool { try minimum(condition ? 1 : 0) == 1 }

    /// Whether `condition` holds on some rank.
    package func anyTrue(_ condition: Bool) throws -> Bool { try maximum(condition ? 1 : 0) == 1 }

    /// The largest value of all ranks; unspecified if one is NaN.
    package func maximum(_ value: Double) throws -> Double { try reduce(value, cmpi_max()) }

    /// The smallest value of all ranks; unspecified if one is NaN.
    package func minimum(_ value: Double) throws -> Double { try reduce(value, cmpi_min()) }

    /// The sum over ranks, for reports (seconds, bytes): its bits may depend on the number of ranks.
    package func sum(_ value: Double) throws -> Double { try reduce(value, cmpi_sum()) }

    private func reduce(_ value: Double, _ operation: MPI_Op) throws -> Double {
        guard size > 1 else { return value }
        var result = value
        try mpiCheck("MPI_Allreduce") {
            MPI_Allreduce(cmpi_in_place(), &result, 1, cmpi_double(), operation, world)
        }
        return result
    }
}

extension Communicator {
    /// The all-to-all of an ordered sum: sends each rank its slice of the own parts and returns, for every shard, where
    /// this rank's slice of it lies: own parts in place, others in scratch, absent ones nil.
    private func exchange(
        _ parts: [UnsafePointer<Float>?], present: [Bool], partition: ShardPartition, slices: ShardPartition
    ) throws -> [UnsafePointer<Float>?] {
        let own = partition.range(of: rank)
        let slice = slices.range(of: rank)
        let scratch = growScratch(to: (partition.shards - own.count) * slice.count)
        var received = 0
        var pending = PendingRequests(communicator: world)
        let leaves = try (0..<partition.shards).map { shard -> UnsafePointer<Float>? in
            guard present[shard] else { return nil }
            if own.contains(shard) { return parts[shard - own.lowerBound].map { $0 + slice.lowerBound } }
            let place = scratch + received * slice.count
            received += 1
            try pending.receive(place, count: slice.count, from: partition.owner(of: shard), tag: shard)
            return UnsafePointer(place)
        }
        // Each rank begins with its successor, so that not all send to the same one at once.
        for peer in (1..<size).map({ (rank + $0) % size }) {
            let slice = slices.range(of: peer)
            for shard in own {
                guard let part = parts[shard - own.lowerBound] else { continue }
                try pending.send(part + slice.lowerBound, count: slice.count, to: peer, tag: shard)
            }
        }
        try pending.waitForAll()
        return leaves
    }

    private func check(_ parts: [UnsafePointer<Float>?], present: [Bool], partition: ShardPartition) {
        let own = partition.range(of: min(rank, partition.ranks - 1))
        precondition(partition.ranks == size, "a partition for \(partition.ranks) ranks among \(size)")
        precondition(partition.shards <= 32767, "\(partition.shards) shards: MPI has tags for 32767")
        precondition(
            present.count == partition.shards && parts.count == own.count,
            "rank \(rank): \(parts.count) parts and \(present.count) presences for shards \(own) of \(partition.shards)")
        precondition(
            parts.map { $0 != nil } == Array(present[own]),
            "rank \(rank): parts \(parts.map { $0 != nil }) for presences \(present[own]) of shards \(own)")
    }
}

/// Sends and receives that have been started and must be completed before their buffers are touched.
private struct PendingRequests {
    let communicator: MPI_Comm
    private var requests: [MPI_Request?] = []

    init(communicator: MPI_Comm) { self.communicator = communicator }

    mutating func send(_ values: UnsafePointer<Float>, count: Int, to rank: Int, tag: Int) throws {
        guard count > 0 else { return }
        var request: MPI_Request? = cmpi_request_null()
        try mpiCheck("MPI_Isend") {
            MPI_Isend(values, Int32(count), cmpi_float(), Int32(rank), Int32(tag), communicator, &request)
        }
        requests.append(request)
    }

    mutating func receive(_ values: UnsafeMutablePointer<Float>, count: Int, from rank: Int, tag: Int) throws {
        guard count > 0 else { return }
        var request: MPI_Request? = cmpi_request_null()
        try mpiCheck("MPI_Irecv") {
            MPI_Irecv(values, Int32(count), cmpi_float(), Int32(rank), Int32(tag), communicator, &request)
        }
        requests.append(request)
    }

    mutating func waitForAll() throws {
        try mpiCheck("MPI_Waitall") { MPI_Waitall(Int32(requests.count), &requests, cmpi_statuses_ignore()) }
        requests.removeAll()
    }
}
