import Checkpointing
import Communication
import Configuration
import Datasets
import Documents
import Editing
import Editors
import Foundation
import LinearAlgebra
import Reporting
import Settings
import TensorCore
import Tokenization
import Transformer

/// What a run of meta-training came to.
public struct TrainingSummary: Sendable {
    /// The directory of the last checkpoint.
    public let checkpoint: String
    /// SHA-256 of the editor's state, in hexadecimal: equal for equal bits.
    public let digest: String
    /// Of the whole run, resumed parts included.
    public let batches: Int
    /// Edits trained on, of the whole run.
    public let edits: Int
    /// Steps of the optimizer, of the whole run.
    public let updates: Int
    /// Mean over all batches of the rephrasings' mean cross entropy; not a number where nothing is learned.
    public let loss: Double
    /// Spent here, from the first batch to the last checkpoint.
    public let seconds: Double
    /// Mean over what was trained here.
    public let secondsPerEdit: Double
    /// Floating-point operations of this rank's matrix products, in that time.
    package let operations: Double
    /// Of this rank, in that time.
    package let phases: [(phase: PhaseClock.Phase, share: PhaseClock.Share)]
    /// Stopped early on request, with everything saved.
    public let isStopped: Bool
    /// nil: nothing was validated.
    package let validations: ValidationHistory?
}

/// Where a run's messages and progress go; rank 0 alone speaks.
package struct TrainingOutput {
    package var message: (String) -> Void
    /// Batches done, of how many, and the loss of the last, if it has one; called before the first batch too.
    package var progress: (Int, Int, Double?) -> Void

    package init(message: @escaping (String) -> Void, progress: @escaping (Int, Int, Double?) -> Void) {
        self.message = message
        self.progress = progress
    }
}

/// The coordinator of meta-training: order of batches, checkpoints, resuming, stopping.
package final class TrainingRun {
    private let configuration: RunConfiguration
    private let work: ShardedWork
    private let output: TrainingOutput
    private let model: LanguageModel
    private let learner: MetaLearner
    private let data: TrainingData
    private let state: EditorState
    private let validator: (any Validator)?
    private let store: CheckpointStore
    /// Of the configuration, for every checkpoint.
    private let identity: String
    private var progress = RunProgress()
    private var pending: PendingSave?
    private var lastSave: (step: Int, path: String, digest: String)? {
        didSet { Memory.setKept(lastSave.map { "; \(InterruptedTraining.Kept(batches: $0.step, checkpoint: $0.path).text)" } ?? "") }
    }

    package init(
        _ configuration: RunConfiguration, model: LanguageModel, tokenizer: Tokenizer, communicator: Communicator, validator: (any Validator)?, output: TrainingOutput
    )
        throws
    {
        self.validator = configuration.training.validationEdits > 0 ? validator : nil
        self.configuration = configuration
        self.output = output
        self.model = model
        work = configuration.work(communicator)
        identity = configuration.trainingIdentity
        data = try TrainingData(configuration, tokenizer: tokenizer, model: model, work: work, message: output.message)
        let engine = try configuration.engine(model: model, tokenizer: tokenizer, work: work)
        learner = MetaLearner(engine: engine, options: configuration.learning)
        state = EditorState(editor: engine.editor, model: model, work: work)
        store = try CheckpointStore(
            options: CheckpointOptions(
                directory: configuration.checkpoint.directory, method: configuration.method.name,
                configuration: configuration.canonicalText, keepLast: configuration.checkpoint.keep,
                keepEvery: configuration.checkpoint.keepEvery > 0 ? configuration.checkpoint.keepEvery : nil),
            exchange: communicator, report: output.message)
        learner.beforeWriting = { [unowned self] in try finishSave() }
    }

    /// Trains to the end, or until `stopRequested` is true on any rank; saves before it returns. Where it fails, what was finished is kept, and
    /// an `InterruptedTraining` names it.
    package func run(stopRequested: () -> Bool) throws -> TrainingSummary {
        rescueWhenMemoryEnds()
        defer {
            Memory.setRescue(nil)
            Memory.setKept("")
        }
        do {
            return try train(stopRequested: stopRequested)
        } catch {
            guard let kept = keepWhatIsFinished(helping: true) else { throw error }
            throw InterruptedTraining(error: error, kept: kept)
        }
    }

    private func train(stopRequested: () -> Bool) throws -> TrainingSummary {
        try resume()
        let metrics = try openMetrics()
        output.progress(progress.batches, data.batchCount, nil)
        let start = ContinuousClock.now, operations = matrixOperations, editsBefore = progress.edits
        var isStopped = false, isBest = false
        if progress.batches == 0 { _ = try validate(metrics) }
        while progress.batches < data.batchCount, !isStopped, !isExhausted {
            try trainBatch(metrics)
            if isValidationDue { isBest = try validate(metrics) } else { isBest = false }
            isStopped = try work.communicator.anyTrue(stopRequested()) && progress.batches < data.batchCount
            if isStopped || isBest || isExhausted || progress.batches == data.batchCount || progress.batches % configuration.checkpoint.every == 0 {
                try work.phases.measure(.checkpoint) { try beginSave() }
            }
        }
        try work.phases.measure(.checkpoint) { try finishSave() }
        let seconds = (ContinuousClock.now - start) / .seconds(1), edits = progress.edits - editsBefore
        return TrainingSummary(
            checkpoint: lastSave?.path ?? "", digest: lastSave?.digest ?? "", batches: progress.batches, edits: progress.edits, updates: learner.updates,
            loss: progress.batches > 0 && learner.learns ? progress.lossSum / Double(progress.batches) : .nan, seconds: seconds,
            secondsPerEdit: edits > 0 ? seconds / Double(edits) : 0, operations: matrixOperations - operations, phases: work.phases.totals, isStopped: isStopped,
            validations: progress.validations)
    }

    private func trainBatch(_ metrics: MetricsLog?) throws {
        let start = ContinuousClock.now, length = configuration.data.batches
        if progress.batches % length == 0 { model.restore() }
        let place = "batch \(progress.batches + 1)"
        Memory.setActivity("in \(place)")
        let batch = try data.batch(progress.batches)
        let earlier = try (0..<min(learner.batchesBack, progress.batches % length)).map { try data.batch(progress.batches - 1 - $0) }
        let report = try learner.learn(batch, earlier: earlier, place: place)
        progress.batches += 1
        progress.edits += batch.editCount
        let loss = learner.learns ? Self.mean(report.losses, of: batch.rephrasings.count) ?? 0 : nil
        progress.lossSum += loss ?? 0
        if progress.batches % length == 0 { try learner.endSequence(place: place) }
        try metrics?.append([
            "batch": .integer(progress.batches), "edits": .integer(progress.edits), "updates": .integer(learner.updates), "loss": loss.map { .number($0) } ?? .null,
            "divergence": Self.mean(report.divergences, of: batch.unrelated.count).map { .number($0) } ?? .null,
            "terms": Self.terms(report),
            "gradientNorm": report.gradientNorms.last.map { .number($0) } ?? .null,
            "seconds": .number((ContinuousClock.now - start) / .seconds(1)),
        ])
        output.progress(progress.batches, data.batchCount, loss)
    }

    // MARK: Validation

    private var isValidationDue: Bool {
        guard validator != nil, let last = progress.validations?.updates else { return false }
        let every = configuration.training.validateEvery
        return learner.updates / every > last / every || (progress.batches == data.batchCount && learner.updates > last)
    }

    /// Whether validations have not become better for as long as a run is to wait.
    private var isExhausted: Bool {
        guard let validations = progress.validations, configuration.training.patience > 0 else { return false }
        return validations.sinceBest >= configuration.training.patience
    }

    /// Whether it is the best of the trained so far. The model and the normalisers are left as they were.
    private func validate(_ metrics: MetricsLog?) throws -> Bool {
        guard let validator else { return false }
        let start = ContinuousClock.now, engine = learner.engine
        let moments = engine.editor.allNetworks.map { ($0.moments.count, $0.moments.means, $0.moments.squares) }
        defer {
            for (network, saved) in zip(engine.editor.allNetworks, moments) { network.moments.set(count: saved.0, means: saved.1, squares: saved.2) }
        }
        Memory.setActivity("in the validation after \(learner.updates) updates")
        let found = try learner.withUsedParameters { try model.unedited { try validator.validate(engine, on: data.heldOut) } }
        var history = progress.validations ?? ValidationHistory()
        history.add(found.score, batches: progress.batches, updates: learner.updates)
        progress.validations = history
        let isBest = learner.updates > 0 && history.sinceBest == 0
        var line: JSONObject = ["batch": .integer(progress.batches), "updates": .integer(learner.updates), "validation": .object(found.details)]
        line["seconds"] = .number((ContinuousClock.now - start) / .seconds(1))
        try metrics?.append(line)
        let isWorse = learner.updates > 0 && history.first.map { found.score < $0 } ?? false
        output.message("validation after \(counted(learner.updates, "update")): \(found.text)\(isBest && !isWorse ? ", the best so far" : "")")
        if isWorse, let first = history.first {
            output.message(
                "the editor is worse than before training (a score of \(Quantity.significant(first, digits: 3))): a smaller editor.meta_learning_rate may help")
        }
        return isBest
    }

    // MARK: Metrics

    /// The mean over a batch's learning steps of each term beside the method's own.
    private static func terms(_ report: BatchReport) -> JSONValue {
        .object(JSONObject(report.terms.sorted { $0.key.rawValue < $1.key.rawValue }.map { ("\($0.key)", .number($0.value.reduce(0, +) / Double($0.value.count))) }))
    }

    /// The mean over micro-batches of what a batch's steps report as sums.
    private static func mean(_ sums: [Double], of microBatches: Int) -> Double? {
        sums.isEmpty || microBatches == 0 ? nil : sums.reduce(0, +) / Double(sums.count * microBatches)
    }

    /// Rank 0's log of batches, without what a resumed run will do again.
    private func openMetrics() throws -> MetricsLog? {
        guard work.communicator.isRoot else { return nil }
        let log = try MetricsLog(path: configuration.checkpoint.directory + "/metrics.jsonl")
        if log.droppedBytes > 0 { output.message("metrics.jsonl: dropped a last line of \(log.droppedBytes) bytes that was cut short") }
        _ = try log.truncate(after: progress.batches)
        return log
    }

    // MARK: Checkpoints

    private func beginSave() throws {
        try finishSave()
        if let lastSave, lastSave.step == progress.batches { return }
        let document = CheckpointDocument(
            state: try JSONValue(
                encoding: SavedState(
                    progress: progress, updates: learner.updates, optimizerSteps: learner.optimizerSteps, batchesSinceUpdate: learner.batchesSinceUpdate,
                    momentCounts: state.momentCounts, model: model.fingerprint, data: data.fingerprint)),
            notes: ["identity": .string(identity), "ranks": .integer(work.communicator.size)])
        pending = try store.begin(
            step: progress.batches, state: state.tensors(includesGradients: learner.batchesSinceUpdate > 0), document: document,
            sparing: configuration.checkpoint.keepBest == .yes ? progress.validations?.best?.batches : nil, exchange: work.communicator)
    }

    private func finishSave() throws {
        guard let save = pending else { return }
        pending = nil
        let info = try save.finish()
        lastSave = (info.step, info.path, info.digest)
    }

    /// The newest checkpoint, after seeing through a save that is under way. Makes no call to the other ranks, which may be anywhere.
    private func keepWhatIsFinished(helping: Bool) -> InterruptedTraining.Kept? {
        if let save = pending {
            pending = nil
            if let path = save.settle(helping: helping) { return .init(batches: save.step, checkpoint: path) }
        }
        return lastSave.map { .init(batches: $0.step, checkpoint: $0.path) }
    }

    /// While the process ends for want of memory, on whatever thread, the main thread waits for that thread or is it.
    private func rescueWhenMemoryEnds() {
        let run = UncheckedSendable(Weak(self))
        Memory.setRescue { run.value.object?.keepWhatIsFinished(helping: false).map { "; \($0.text)" } ?? "" }
    }

    private func resume() throws {
        guard let checkpoint = try store.newest(exchange: work.communicator) else { return }
        let differences = try checkpoint.document.notes["identity"]?.string.map { try configuration.trainingDifferences(from: $0) } ?? []
        guard differences.isEmpty else {
            throw ConfigurationError(
                location: configuration.source, keyPath: "checkpoint.directory",
                problem: "\(checkpoint.path) was made by another configuration (\(differences.joined(separator: "; "))); name another directory to start afresh")
        }
        let saved = try checkpoint.document.state.decode(SavedState.self, location: checkpoint.path)
        guard saved.model == model.fingerprint else {
            throw BadInput(checkpoint.path, "was trained on another model than \(configuration.model.path)")
        }
        guard saved.data == data.fingerprint else {
            throw BadInput(checkpoint.path, "was trained on other records than \(data.path) holds now")
        }
        try state.load(.run(includesGradients: saved.batchesSinceUpdate > 0), of: checkpoint, momentCounts: saved.momentCounts)
        progress = saved.progress
        learner.resume(updates: saved.updates, optimizerSteps: saved.optimizerSteps, batchesSinceUpdate: saved.batchesSinceUpdate)
        lastSave = (checkpoint.step, checkpoint.path, checkpoint.digest)
        output.message(
            progress.batches < data.batchCount
                ? "resuming after batch \(progress.batches) from \(checkpoint.path)" : "already trained to the end: \(checkpoint.path)")
    }
}

private struct Weak<Object: AnyObject> {
    weak var object: Object?
    init(_ object: Object) { self.object = object }
}

/// How far a run has come.
struct RunProgress: Codable, Equatable {
    var batches = 0
    var edits = 0
    var lossSum = 0.0
    /// nil: there has been none.
    var validations: ValidationHistory?
}

/// The part of a run's state that is not tensors.
struct SavedState: Codable {
    let progress: RunProgress
    let updates: Int
    let optimizerSteps: Int
    let batchesSinceUpdate: Int
    let momentCounts: [String: Int]
    let model: String
    let data: String
}
