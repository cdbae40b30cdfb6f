import Tokenizers
import Transformer

/// This rank's part of a batch's micro-batches, packed, with the frozen part of the model run once.
final class ShardedPack {
    let pack: PackedSequences
    let prefix: FrozenPrefix
    /// Rows and predictions of each of this rank's shards within `pack`.
    let shardTokens: [Range<Int>]
    let shardAnswers: [Range<Int>]
    /// For every micro-batch of the batch, on all ranks: its number of answer tokens.
    let microBatchAnswerCounts: [Int]
    /// For every shard of the batch: whether it has anything.
    let isPresent: [Bool]
    /// For every rank: its number of answer tokens.
    let rankAnswerCounts: [Int]
    private let sequences: [TokenSequence]  // of all ranks

    init(_ microBatches: [[TokenSequence]], model: LanguageModel, work: Work) {
        let own = work.ownShare(of: microBatches.count)
        let pack = PackedSequences(microBatches: Array(microBatches[own]))
        self.pack = pack
        prefix = work.phases.measure(.prefix) { model.prefix(of: pack) }
        let answers = microBatches.map { $0.reduce(0) { $0 + $1.answer.count } }
        microBatchAnswerCounts = answers
        isPresent = (0..<work.shards).map { !work.share(of: microBatches.count, shard: $0).isEmpty }
        rankAnswerCounts = (0..<work.communicator.size).map { rank in
            work.share(of: microBatches.count, rank: rank).reduce(0) { $0 + answers[$1] }
        }
        func rows(_ shard: Int, _ ranges: [Range<Int>]) -> Range<Int> {
            let share = work.share(of: microBatches.count, shard: shard)
            guard !share.isEmpty else { return 0..<0 }
            return ranges[share.lowerBound - own.lowerBound].lowerBound..<ranges[share.upperBound - 1 - own.lowerBound].upperBound
        }
        sequences = Array(microBatches.joined())
        shardTokens = work.ownShards.map { rows($0, pack.microBatchTokens) }
        shardAnswers = work.ownShards.map { rows($0, pack.microBatchAnswers) }
    }

    /// What answer token `index` of the whole batch, in canonical order, belongs to.
    func sample(ofAnswer index: Int) -> String {
        var last = 0
        for (number, sequence) in sequences.enumerated() {
            last += sequence.answer.count
            if index < last { return sequence.source ?? "sequence \(number + 1)" }
        }
        return "no sample of the batch"
    }
}
