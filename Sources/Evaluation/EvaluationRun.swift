import Communication
import Configuration
import Datasets
import Editing
import Editors
import LinearAlgebra
import TensorCore
import Tokenization
import Training
import Transformer

/// What an evaluation found.
package struct EvaluationSummary: Sendable {
    package let records: [RecordSummary]
    package let before: ScoreReport
    package let after: ScoreReport
    /// Of the unedited model where the prompt itself tells of the edit; nil where it was not asked.
    package let inContext: ScoreReport?
    /// Of plain text after all edits, or, in batch mode, as the mean after each batch; nil where none is read.
    package let drift: Drift?
    /// Of edits made one by one, each on the unedited model; nil where none are.
    package let single: SingleEditSummary?
    /// nil: the method is not trained, and there was none.
    package let checkpoint: String?
    /// The networks were those from before training.
    package let isUntrained: Bool
    /// Everything but loading, measuring drift, single edits and prompts that tell of edits: scoring the unedited model, editing, scoring the edited one.
    package let seconds: Double
    package let scoringBeforeSeconds: Double
    package let editingSeconds: Double
    package let scoringAfterSeconds: Double
    package let operations: Double
}

/// What one record gave.
package struct RecordSummary: Sendable {
    package let record: EditRecord
    package let before: [Probe.Kind: RecordOutcome]
    package let after: [Probe.Kind: RecordOutcome]
    /// Unedited, where the prompt tells of the edit; nil where it was not asked.
    package let inContext: [Probe.Kind: RecordOutcome]?
    /// Edited alone; nil where it was not.
    package let single: [Probe.Kind: RecordOutcome]?
}

/// Edits the evaluation set with a trained editor and scores it. Sequential: all batches are applied to the same model, which is then
/// scored. Batch: each batch is applied to the unedited model and scored by itself.
package final class EvaluationRun {
    private let configuration: RunConfiguration
    private let model: LanguageModel
    private let tokenizer: Tokenizer
    private let work: ShardedWork
    private let records: [EditRecord]
    private let engine: EditEngine
    private let checkpoint: String?
    private let isUntrained: Bool

    package init(
        _ configuration: RunConfiguration, model: LanguageModel, tokenizer: Tokenizer, communicator: Communicator, isUntrained: Bool = false,
        message: @escaping (String) -> Void
    ) throws {
        self.configuration = configuration
        self.model = model
        self.tokenizer = tokenizer
        work = configuration.work(communicator)
        let split = try configuration.evaluationSplit(neededBy: "evaluate")
        let all = try configuration.records(of: split)
        let wanted = configuration.evaluation.batches * configuration.evaluation.editsPerBatch
        guard all.count >= wanted else {
            throw BadInput(
                split.path,
                "has \(counted(all.count, "record")); evaluation.batches × evaluation.edits_per_batch is "
                    + "\(configuration.evaluation.batches) × \(configuration.evaluation.editsPerBatch) = \(wanted)")
        }
        records = Array(all.prefix(wanted))
        engine = try configuration.engine(model: model, tokenizer: tokenizer, work: work)
        let loaded = try TrainedEditor.load(into: engine, configuration: configuration, isUntrained: isUntrained, report: message)
        (checkpoint, self.isUntrained) = (loaded?.path, loaded?.isUntrained ?? true)
        engine.observes = configuration.evaluation.normalizer == .online
        guard engine.observes || checkpoint != nil || !configuration.method.isTrained else {
            throw BadInput(configuration.checkpoint.directory, "holds no checkpoint; evaluation.normalizer=frozen needs one, for what it has seen")
        }
        for note in [RepeatedPrompts(records).noteOnDataSet].compactMap(\.self) + configuration.notes(onEdits: records) { message(note) }
    }

    /// `progress` hears of batches edited. The model is left as it was.
    package func run(progress: (Int, Int) -> Void) throws -> EvaluationSummary {
        defer { model.restore() }
        model.restore()
        let operations = matrixOperations, passages = Array(PlainText.heldOut.prefix(configuration.evaluation.driftPassages))
        let meter = passages.isEmpty ? nil : DriftMeter(passages, model: model, tokenizer: tokenizer, work: work)
        let start = ContinuousClock.now
        let scorer = try Scorer(records, model: model, tokenizer: tokenizer, work: work)
        let before = try scorer.scoreUnedited(), beforeSeconds = (ContinuousClock.now - start) / .seconds(1)
        var parts: [ScoreTally] = [], drifts: [Drift] = []
        var editing = Duration.zero, measuring = Duration.zero
        let answers = meter == nil ? [] : DriftMeter.firstTokens(of: records, tokenizer)
        func measureDrift() throws {
            guard let meter else { return }
            let start = ContinuousClock.now
            drifts.append(try meter.measure(answers: answers))
            measuring += ContinuousClock.now - start
        }
        let size = configuration.evaluation.editsPerBatch, count = configuration.evaluation.batches
        for index in 0..<count {
            let batchStart = ContinuousClock.now
            let range = index * size..<(index + 1) * size
            let batch = try configuration.batch(Array(records[range]), tokenizer: tokenizer)
            try engine.apply(batch, place: "evaluation batch \(index + 1)")
            editing += ContinuousClock.now - batchStart
            if configuration.editor.mode == .batch {
                parts.append(try scorer.score(range))
                try measureDrift()
                model.restore()
            }
            progress(index + 1, count)
        }
        let after = try parts.isEmpty ? scorer.score(0..<records.count) : parts.reduce(ScoreTally(), +)
        if parts.isEmpty { try measureDrift() }
        let seconds = (ContinuousClock.now - start - measuring) / .seconds(1), editingSeconds = editing / .seconds(1)
        model.restore()
        let inContext = configuration.evaluation.inContext == .yes ? try scorer.scoreInContext() : nil
        let singles = records.prefix(configuration.evaluation.singleEdits)
        let single =
            singles.isEmpty
            ? nil : try SingleEdits(configuration: configuration, model: model, tokenizer: tokenizer, engine: engine).run(Array(singles), passages: passages)
        let ofRecords = records.enumerated().map { index, record in
            RecordSummary(
                record: record, before: before.records[index], after: after.records[index], inContext: inContext?.records[index],
                single: single.flatMap { index < $0.tally.records.count ? $0.tally.records[index] : nil })
        }
        return EvaluationSummary(
            records: ofRecords, before: before.reportOfMeans, after: after.report, inContext: inContext?.report, drift: .mean(drifts), single: single,
            checkpoint: checkpoint, isUntrained: isUntrained,
            seconds: seconds, scoringBeforeSeconds: beforeSeconds, editingSeconds: editingSeconds,
            scoringAfterSeconds: seconds - beforeSeconds - editingSeconds, operations: matrixOperations - operations)
    }
}
