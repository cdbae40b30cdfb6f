import Communication
import Configuration
import Datasets
import Editing
import Tokenization
import Transformer

/// What edits do to a model that has no others: means over some records, each edited and scored on the unedited model.
package struct SingleEditSummary: Sendable {
    package let tally: ScoreTally
    package let after: ScoreReport
    /// nil where no plain text is read.
    package let drift: Drift?
}

/// Edits and scores records one by one. Each rank takes its share of them and works by itself.
struct SingleEdits {
    let configuration: RunConfiguration
    let model: LanguageModel
    let tokenizer: Tokenizer
    /// Whose editor and preservation are used, with the normaliser as it is.
    let engine: EditEngine

    /// Collective. The model is to be unedited, and is afterwards.
    func run(_ records: [EditRecord], passages: [String]) throws -> SingleEditSummary {
        let alone = ShardedWork(communicator: Communicator(), shards: engine.work.shards)
        let own = EditEngine(engine, work: alone)
        own.observes = false
        let meter = passages.isEmpty ? nil : DriftMeter(passages, model: model, tokenizer: tokenizer, work: alone)
        let kinds = Probe.Kind.ordered(records.flatMap(\.probes).map(\.kind))
        let width = RecordOutcome.width * kinds.count + DriftSums().numbers.count
        var numbers = [Double](repeating: 0, count: width * records.count), failures = [Double](repeating: 0, count: records.count), failure: NumericalFailure?
        for index in engine.work.ownShare(of: records.count) {
            let record = records[index]
            let scorer = try Scorer([record], model: model, tokenizer: tokenizer, work: alone)
            _ = try scorer.scoreUnedited()
            defer { model.restore() }
            do {
                try own.apply(configuration.batch([record], tokenizer: tokenizer), place: "single edit \(index + 1)")
                let answers = DriftMeter.firstTokens(of: [record], tokenizer)
                let drift = meter?.sums(ofPart: index, answers: answers) ?? DriftSums()
                numbers.replaceSubrange(width * index..<width * (index + 1), with: try scorer.score(0..<1).numbers(kinds) + drift.numbers)
            } catch let error as NumericalFailure {
                failures[index] = 1
                failure = failure ?? error
            }
        }
        // Every rank comes to hear of it.
        if let failed = try engine.work.communicator.allGather(failures).flatMap(\.self).firstIndex(of: 1) {
            throw failure ?? NumericalFailure("single edit \(failed % records.count + 1) cannot be made")
        }
        let all = try engine.work.communicator.allGather(numbers)
        var tally = ScoreTally(), drift = DriftSums()
        for index in records.indices {
            // Only one rank's are not zero.
            let own = (0..<width).map { place in all.reduce(0) { $0 + $1[width * index + place] } }
            tally = tally + ScoreTally(numbers: Array(own.dropLast(DriftSums().numbers.count)), kinds)
            drift = drift + DriftSums(numbers: own.suffix(DriftSums().numbers.count))
        }
        return SingleEditSummary(tally: tally, after: tally.report, drift: meter == nil ? nil : try drift.drift())
    }
}
