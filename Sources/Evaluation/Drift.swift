import Communication
import Datasets
import Editing
import Foundation
import TensorCore
import Tokenization
import Training
import Transformer

/// What became of plain text that no edit is about.
public struct Drift: Sendable, Equatable {
    /// Mean KL(before‖after) of a token's distribution, in nats.
    public let divergence: Double
    /// Percent of the places where the likeliest next token is the one it was.
    public let tokensKept: Double
    /// The text's perplexity after, as a multiple of that before.
    public let perplexityRatio: Double
    /// Predictions that these are means over.
    public let tokens: Int
}

/// Measures drift on passages, against the model as it is when this is made.
package final class DriftMeter {
    private struct Part {
        let pack: PackedSequences
        let prefix: FrozenPrefix
        let reference: Matrix
    }

    private let model: LanguageModel
    private let work: ShardedWork
    private let parts: [[Part]]  // of each of this rank's shards

    /// Each shard takes its share of the passages.
    package init(_ passages: [String], model: LanguageModel, tokenizer: Tokenizer, work: ShardedWork) {
        self.model = model
        self.work = work
        let sequences = PlainText.sequences(passages, tokenizer: tokenizer, model: model, microBatch: 4)
        parts = work.ownShards.map { shard in
            sequences[work.share(of: sequences.count, shard: shard)].map { microBatch in
                let pack = PackedSequences(microBatches: [microBatch]), prefix = model.prefix(of: pack)
                return Part(pack: pack, prefix: prefix, reference: model.normedAnswers(pack, prefix))
            }
        }
    }

    /// The same on every rank, and the same bits on any number of them.
    package func measure() throws -> Drift {
        let changes = parts.map { $0.flatMap { model.changes($0.pack, $0.prefix, since: $0.reference) } }
        func sum(_ value: (PredictionChange) -> Double) throws -> Double { try work.sum(changes.map { $0.reduce(0) { $0 + value($1) } }) }
        let divergence = try sum { Double($0.divergence) }, kept = try sum { $0.keepsMostLikely ? 1 : 0 }
        let lost = try sum { Double($0.before) - Double($0.after) }, tokens = try sum { _ in 1 }, count = max(1, tokens)
        guard divergence.isFinite else { throw NumericalFailure.ofEditedModel }
        return Drift(divergence: divergence / count, tokensKept: 100 * kept / count, perplexityRatio: Foundation.exp(lost / count), tokens: Int(tokens))
    }
}

extension Drift {
    /// The mean over several measurements; of the ratio of perplexities the geometric one.
    static func mean(_ all: [Drift]) -> Drift? {
        guard let first = all.first else { return nil }
        let count = Double(all.count)
        return Drift(
            divergence: all.reduce(0) { $0 + $1.divergence } / count, tokensKept: all.reduce(0) { $0 + $1.tokensKept } / count,
            perplexityRatio: Foundation.exp(all.reduce(0) { $0 + Foundation.log($1.perplexityRatio) } / count), tokens: first.tokens)
    }
}
