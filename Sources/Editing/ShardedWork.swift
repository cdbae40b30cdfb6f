import Communication
import TensorCore

/// How the work of a run is spread: virtual shards over ranks. Nothing that is computed depends on the number of ranks, only
/// who computes it.
package struct ShardedWork {
    /// How sums over shards are taken: in one fixed order, or as fast as MPI makes them, with bits that depend on the ranks.
    package enum Reduction: Sendable { case ordered, fast }

    package let communicator: Communicator
    package let partition: ShardPartition
    package let reduction: Reduction
    package let phases = PhaseClock()

    package init(communicator: Communicator, shards: Int, reduction: Reduction = .ordered) {
        precondition(shards >= communicator.size, "\(shards) shards for \(communicator.size) ranks")
        self.communicator = communicator
        self.reduction = reduction
        partition = ShardPartition(shards: shards, ranks: communicator.size)
    }

    package var shards: Int { partition.shards }
    package var ownShards: Range<Int> { partition.range(of: communicator.rank) }

    /// The contiguous share of `count` things that belongs to shard `shard`.
    package func share(of count: Int, shard: Int) -> Range<Int> { count * shard / shards..<count * (shard + 1) / shards }

    /// The share of `count` things that belongs to rank `rank`: those of its shards.
    package func share(of count: Int, rank: Int) -> Range<Int> {
        let own = partition.range(of: rank)
        return own.isEmpty ? 0..<0 : count * own.lowerBound / shards..<count * own.upperBound / shards
    }

    package func ownShare(of count: Int) -> Range<Int> { share(of: count, rank: communicator.rank) }

    /// Every rank's rows, in rank order, where rank r holds the rows `counts[r]`. On one rank, the rows themselves.
    func gatherRows(_ own: Matrix, counts: [Int]) throws -> Matrix {
        precondition(own.rows == counts[communicator.rank], "\(own.rows) rows where \(counts[communicator.rank]) were expected")
        if communicator.size == 1 { return own }
        return try phases.measure(.exchange) {
            let all = Matrix(uninitializedRows: counts.reduce(0, +), columns: own.columns)
            try communicator.allGather(own.pointer, counts: counts.map { $0 * own.columns }, into: all.pointer)
            return all
        }
    }

    /// The sum over shards of one matrix each (nil where a shard has nothing).
    func sum(_ parts: [Matrix?], present: [Bool], rows: Int, columns: Int) throws -> Matrix {
        try phases.measure(.exchange) { try summed(parts, present: present, rows: rows, columns: columns) }
    }

    private func summed(_ parts: [Matrix?], present: [Bool], rows: Int, columns: Int) throws -> Matrix {
        let result = Matrix(uninitializedRows: rows, columns: columns)
        if reduction == .fast || !present.contains(true) {
            result.fill(0)
            for part in parts { if let part { result.add(part) } }
            if reduction == .fast { try communicator.fastSum(result.pointer, count: result.count) }
        } else {
            try withExtendedLifetime(parts) {
                try communicator.orderedSum(
                    parts.map { $0.map { UnsafePointer($0.pointer) } }, present: present, count: rows * columns,
                    partition: partition, into: result.pointer)
            }
        }
        return result
    }

    /// The sum over shards of one number each.
    package func sum(_ parts: [Double]) throws -> Double {
        reduction == .fast ? try communicator.sum(parts.reduce(0, +)) : try communicator.orderedSum(parts, partition: partition)
    }
}
