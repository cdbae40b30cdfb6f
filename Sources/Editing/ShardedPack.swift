import Editors
import Tokenization
import Transformer

/// This rank's part of a batch's micro-batches, packed, with the frozen part of the model run once.
///
/// It goes through the model in chunks whose activations fit in memory. A chunk holds whole shards, as many as fit, or part of a large one. Where
/// a shard is cut depends on the shard alone, so sums over its parts are the same on any number of ranks.
final class ShardedPack {
    /// What goes through the model at once.
    struct Chunk {
        let pack: PackedSequences
        let prefix: FrozenPrefix
        let pieces: [Piece]
        let sequences: [TokenSequence]

        /// The chunk's rows that are `positions` of its sequences.
        func rows(_ positions: EditorOptions.Positions) -> [Int] {
            var first = 0
            return sequences.flatMap { sequence in
                defer { first += sequence.fedCount }
                return positions.rows(of: sequence).map { first + $0 }
            }
        }
    }

    /// Neighbouring micro-batches of one shard.
    struct Piece {
        let shard: Int  // index among this rank's shards
        let tokens: Range<Int>  // of the chunk's rows
    }

    let chunks: [Chunk]
    /// Predictions of each of this rank's shards, counted over all chunks.
    let shardAnswers: [Range<Int>]
    /// For every shard of the batch: whether it has anything.
    let isPresent: [Bool]
    /// Of answer tokens.
    let answers: RowCounts
    /// Of all ranks.
    var sequences: [TokenSequence] { microBatches.flatMap(\.self) }
    /// Of this rank's answer tokens, the place of the first among those of all ranks.
    var firstAnswer: Int { answers.ofRanks.prefix(work.communicator.rank).reduce(0, +) }
    /// Of all tokens that are read.
    let tokens: RowCounts
    /// Of sequences.
    let sequenceCounts: RowCounts
    private let microBatches: [[TokenSequence]]  // of all ranks
    private let work: ShardedWork

    /// How many rows of a kind there are, on all ranks.
    struct RowCounts {
        let ofMicroBatches: [Int]
        let ofRanks: [Int]

        init(_ microBatches: [[TokenSequence]], work: ShardedWork, of count: (TokenSequence) -> Int) {
            let counts = microBatches.map { $0.reduce(0) { $0 + count($1) } }
            ofMicroBatches = counts
            ofRanks = (0..<work.communicator.size).map { rank in work.share(of: counts.count, rank: rank).reduce(0) { $0 + counts[$1] } }
        }
    }

    init(_ microBatches: [[TokenSequence]], model: LanguageModel, work: ShardedWork, tokensAtATime: Int) {
        answers = RowCounts(microBatches, work: work) { $0.answer.count }
        tokens = RowCounts(microBatches, work: work, of: \.fedCount)
        sequenceCounts = RowCounts(microBatches, work: work) { _ in 1 }
        isPresent = (0..<work.shards).map { !work.share(of: microBatches.count, shard: $0).isEmpty }
        var first = 0
        shardAnswers = work.ownShards.map { [answers] shard in
            let start = first
            first += work.share(of: microBatches.count, shard: shard).reduce(0) { $0 + answers.ofMicroBatches[$1] }
            return start..<first
        }
        self.microBatches = microBatches
        self.work = work
        let shares = work.ownShards.map { work.share(of: microBatches.count, shard: $0) }
        chunks = Self.cut(shares, tokens.ofMicroBatches, atATime: tokensAtATime).map { parts in
            let pack = PackedSequences(microBatches: parts.flatMap { microBatches[$0.microBatches] })
            let start = parts[0].microBatches.lowerBound
            let pieces = parts.map { part in
                Piece(
                    shard: part.shard,
                    tokens: pack.microBatchTokens[part.microBatches.lowerBound - start]
                        .lowerBound..<pack.microBatchTokens[part.microBatches.upperBound - 1 - start].upperBound)
            }
            return Chunk(
                pack: pack, prefix: work.phases.measure(.prefix) { model.prefix(of: pack) }, pieces: pieces,
                sequences: parts.flatMap { microBatches[$0.microBatches].joined() })
        }
    }

    /// Cuts each shard's micro-batches, `shares`, into pieces of at most `limit` tokens, or of one micro-batch, and joins neighbouring pieces
    /// that are no more together.
    private static func cut(_ shares: [Range<Int>], _ tokens: [Int], atATime limit: Int) -> [[(shard: Int, microBatches: Range<Int>)]] {
        var chunks: [[(shard: Int, microBatches: Range<Int>)]] = [], filled = 0
        for (shard, share) in shares.enumerated() {
            var rest = share
            while !rest.isEmpty {
                var end = rest.lowerBound + 1, size = tokens[rest.lowerBound]
                while end < rest.upperBound, size + tokens[end] <= limit {
                    size += tokens[end]
                    end += 1
                }
                if chunks.isEmpty || filled + size > limit {
                    chunks.append([])
                    filled = 0
                }
                chunks[chunks.count - 1].append((shard, rest.lowerBound..<end))
                filled += size
                rest = end..<rest.upperBound
            }
        }
        return chunks
    }

    /// Of the rows that are `positions` of the sequences.
    func rowCounts(_ positions: EditorOptions.Positions) -> RowCounts {
        switch positions {
        case .answer: answers
        case .all: tokens
        case .subjectLast, .subject, .prompt: RowCounts(microBatches, work: work) { positions.rows(of: $0).count }
        }
    }

    /// What each sequence has, for every row of it, where it has `count` of them.
    func spread<Value>(_ values: [Value], _ count: (TokenSequence) -> Int) -> [Value] {
        zip(microBatches.joined(), values).flatMap { Array(repeating: $1, count: count($0)) }
    }

    /// The sums over each sequence's rows of what all rows have, where it has `count` of them.
    func sums(_ values: [Double], _ count: (TokenSequence) -> Int) -> [Double] {
        var first = 0
        return microBatches.joined().map { sequence in
            defer { first += count(sequence) }
            return values[first..<first + count(sequence)].reduce(0, +)
        }
    }

    /// Of each sequence, what the gradient of its own mean cross entropy is of that of its micro-batch, which is a mean over the tokens of all.
    var ownShares: [Double] {
        zip(microBatches, answers.ofMicroBatches).flatMap { sequences, count in sequences.map { Double(count) / Double($0.answer.count) } }
    }

    /// What answer token `index` of the whole batch, in canonical order, belongs to.
    func sample(ofAnswer index: Int) -> String { sample(ofRow: index, \.answer.count) }

    /// What row `index` belongs to, where each sequence has `count` of them.
    func sample(ofRow index: Int, _ count: (TokenSequence) -> Int) -> String {
        var last = 0
        for (number, sequence) in microBatches.joined().enumerated() {
            last += count(sequence)
            if index < last { return sequence.source ?? "sequence \(number + 1)" }
        }
        return "no sample of the batch"
    }
}
