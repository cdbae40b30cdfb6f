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
    private var parts: [Part] = []

    /// Each rank takes its share of the passages.
    package init(_ passages: [String], model: LanguageModel, tokenizer: Tokenizer, work: ShardedWork) {
        self.model = model
        self.work = work
        let sequences = PlainText.sequences(passages, tokenizer: tokenizer, model: model, microBatch: 4)
        parts = sequences[work.ownShare(of: sequences.count)].map { microBatch in
            let pack = PackedSequences(microBatches: [microBatch]), prefix = model.prefix(of: pack)
            return Part(pack: pack, prefix: prefix, reference: model.normedAnswers(pack, prefix))
        }
    }

    /// The same on every rank.
    package func measure() throws -> Drift {
        let changes = parts.flatMap { model.changes($0.pack, $0.prefix, since: $0.reference) }
        let own: [Double] = [
            changes.reduce(0) { $0 + Double($1.divergence) }, Double(changes.filter(\.keepsMostLikely).count),
            changes.reduce(0) { $0 + Double($1.before) - Double($1.after) }, Double(changes.count),
        ]
        let all = try work.communicator.allGather(own)
        let sums = (0..<own.count).map { index in all.reduce(0) { $0 + $1[index] } }, count = max(1, sums[3])
        guard sums[0].isFinite else { throw NumericalFailure("the edited model gives a log probability that is not a number; the edits have broken it") }
        return Drift(divergence: sums[0] / count, tokensKept: 100 * sums[1] / count, perplexityRatio: Foundation.exp(sums[2] / count), tokens: Int(sums[3]))
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
