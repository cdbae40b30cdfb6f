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
    /// Percent of the places where the likeliest next token has become one with which an edit's answer begins.
    public let bleed: Double
    /// Predictions that these are means over.
    public let tokens: Int
}

/// Of some predictions on plain text, what drift is made of.
struct DriftSums: Equatable {
    var divergence = 0.0
    var kept = 0.0
    /// Of the text's own tokens, log probability before less that after.
    var lost = 0.0
    var bled = 0.0
    var tokens = 0.0

    init() {}

    /// `answers`: first tokens of edits' answers.
    init(_ changes: [PredictionChange], answers: Set<Int32>) {
        for change in changes {
            divergence += Double(change.divergence)
            kept += change.keepsMostLikely ? 1 : 0
            lost += Double(change.before) - Double(change.after)
            bled += !change.keepsMostLikely && answers.contains(change.mostLikely) ? 1 : 0
            tokens += 1
        }
    }

    init(numbers: some Collection<Double>) {
        let all = Array(numbers)
        (divergence, kept, lost, bled, tokens) = (all[0], all[1], all[2], all[3], all[4])
    }

    var numbers: [Double] { [divergence, kept, lost, bled, tokens] }

    static func + (a: DriftSums, b: DriftSums) -> DriftSums { DriftSums(numbers: zip(a.numbers, b.numbers).map(+)) }

    /// Throws where the edited model is broken.
    func drift() throws -> Drift {
        guard divergence.isFinite else { throw NumericalFailure.ofEditedModel }
        let count = max(1, tokens)
        return Drift(
            divergence: divergence / count, tokensKept: 100 * kept / count, perplexityRatio: Foundation.exp(lost / count), bleed: 100 * bled / count,
            tokens: Int(tokens))
    }
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

    /// The same on every rank, and the same bits on any number of them. `answers`: first tokens of edits' answers.
    package func measure(answers: Set<Int32> = []) throws -> Drift {
        let sums = parts.map { sum($0, answers).numbers }
        return try DriftSums(numbers: (0..<DriftSums().numbers.count).map { index in try work.sum(sums.map { $0[index] }) }).drift()
    }

    /// With which the answers of records' edits begin.
    static func firstTokens(of records: [EditRecord], _ tokenizer: Tokenizer) -> Set<Int32> {
        Set(records.flatMap(\.edits).compactMap { tokenizer.encodeContinuation($0.answer).first })
    }

    /// On one part of the passages, a few of them, where one rank has all; parts are counted on and on.
    func sums(ofPart index: Int, answers: Set<Int32>) -> DriftSums {
        let all = parts.flatMap(\.self)
        return all.isEmpty ? DriftSums() : sum([all[index % all.count]], answers)
    }

    private func sum(_ parts: [Part], _ answers: Set<Int32>) -> DriftSums {
        DriftSums(parts.flatMap { model.changes($0.pack, $0.prefix, since: $0.reference) }, answers: answers)
    }
}

extension Drift {
    /// The mean over several measurements; of the ratio of perplexities the geometric one.
    static func mean(_ all: [Drift]) -> Drift? {
        guard let first = all.first else { return nil }
        let count = Double(all.count)
        return Drift(
            divergence: all.reduce(0) { $0 + $1.divergence } / count, tokensKept: all.reduce(0) { $0 + $1.tokensKept } / count,
            perplexityRatio: Foundation.exp(all.reduce(0) { $0 + Foundation.log($1.perplexityRatio) } / count),
            bleed: all.reduce(0) { $0 + $1.bleed } / count, tokens: first.tokens)
    }
}
