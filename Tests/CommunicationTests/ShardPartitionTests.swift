import Communication
import Testing

@Suite struct ShardPartitionTests {
    @Test func rangesAreContiguousAndEven() {
        for shards in 0...20 {
            for ranks in 1...9 {
                let partition = ShardPartition(shards: shards, ranks: ranks)
                let ranges = (0..<ranks).map { partition.range(of: $0) }
                #expect(ranges.flatMap { Array($0) } == Array(0..<shards))
                #expect(partition.counts.max()! - partition.counts.min()! <= 1)
                #expect(partition.counts == partition.counts.sorted(by: >))
                for shard in 0..<shards {
                    #expect(ranges[partition.owner(of: shard)].contains(shard), "shard \(shard) of \(shards) on \(ranks)")
                }
            }
        }
    }

    @Test func buffersBeyond32Bits() {
        let partition = ShardPartition(shards: 10_000_000_001, ranks: 3)
        #expect(partition.range(of: 2) == 6_666_666_668..<10_000_000_001)
        #expect(partition.owner(of: 10_000_000_000) == 2)
        #expect(partition.owner(of: 6_666_666_667) == 1)
    }
}
