/// How `shards` virtual shards (or the elements of a buffer) are split over `ranks` in contiguous ranges. Sizes differ by
/// at most one, the larger ones first; with fewer shards than ranks the last ranks own nothing.
package struct ShardPartition: Sendable, Equatable {
    package let shards: Int
    package let ranks: Int

    /// - Precondition: `shards >= 0` and `ranks >= 1`.
    package init(shards: Int, ranks: Int) {
        precondition(shards >= 0 && ranks >= 1, "no partition of \(shards) shards over \(ranks) ranks")
        self.shards = shards
        self.ranks = ranks
    }

    /// The shards of one rank, perhaps none.
    package func range(of rank: Int) -> Range<Int> {
        precondition((0..<ranks).contains(rank), "rank \(rank) of \(ranks)")
        let start = rank * smallerSize + min(rank, largerRanks)
        return start..<start + smallerSize + (rank < largerRanks ? 1 : 0)
    }

    /// The rank whose range holds `shard`.
    package func owner(of shard: Int) -> Int {
        precondition((0..<shards).contains(shard), "shard \(shard) of \(shards)")
        let firstOfSmaller = largerRanks * (smallerSize + 1)
        if shard < firstOfSmaller { return shard / (smallerSize + 1) }
        return largerRanks + (shard - firstOfSmaller) / smallerSize
    }

    /// The size of every rank's range, in rank order.
    package var counts: [Int] { (0..<ranks).map { range(of: $0).count } }

    private var smallerSize: Int { shards / ranks }
    private var largerRanks: Int { shards % ranks }
}
