import Communication
import Configuration
import Datasets
import Documents
import Editing
import Evaluation
import Foundation
import Reporting
import Settings
import TensorCore
import Tokenization
import Training
import Transformer

/// How a tuner goes about it.
package struct TuningOptions: Sendable {
    /// To search and to train in.
    package var seconds: Double
    /// Of the training data's last records, by which is judged; the configuration's training.validation_edits, where there are any.
    package var edits = 40
    /// Of the time, for a method that is trained.
    package var trainingShare = 0.4

    package init(seconds: Double) { self.seconds = seconds }
}

/// What was found.
package struct TuningSummary: Sendable {
    /// In the order in which they were first needed, with those of an earlier run.
    package let trials: [TuningTrial]
    package let best: TuningTrial
    /// The given configuration with what was found; its checkpoints, where there are any, are those of the training.
    package let configuration: RunConfiguration
    /// The scores before training and of its best, nil where none was validated, and the updates that this took.
    package typealias Training = (before: Double, after: Double?, updates: Int)
    /// nil: there was no training.
    package let training: Training?
    /// The search was to end before it had.
    package let isStopped: Bool
    package let seconds: Double
}

/// Finds settings for a model and data, in a given time: one change after another of what was given, each tried by editing held-out records with untrained networks, as a
/// validation does (see `HeldOutValidator`), and kept if it is better; then trains for the rest of the time. Nothing but the training data is looked at.
package final class Tuner {
    /// By how much a score has to be better, in percent: records are few.
    private static let margin = 0.3

    private let given: RunConfiguration
    private let model: LanguageModel
    private let tokenizer: Tokenizer
    private let work: ShardedWork
    private let options: TuningOptions
    private let message: (String) -> Void
    private let heldOut: [EditRecord]
    /// Edited before each trial, for what the normalisers then know.
    private let warmUp: [EditRecord]
    private let space: TuningSpace
    private let log: TuningLog
    private let start = ContinuousClock.now
    private var trials: [TuningTrial] = []
    /// Of the trials of earlier runs.
    private var earlierSeconds = 0.0

    package init(
        _ configuration: RunConfiguration, model: LanguageModel, tokenizer: Tokenizer, communicator: Communicator, options: TuningOptions,
        message: @escaping (String) -> Void
    ) throws {
        given = configuration
        (self.model, self.tokenizer, self.options, self.message) = (model, tokenizer, options, message)
        work = configuration.work(communicator)
        let split = try configuration.trainingSplit(neededBy: "tune"), all = try DatasetFile.load(split.path, format: split.format)
        let size = configuration.data.editsPerBatch, held = configuration.training.validationEdits > 0 ? configuration.training.validationEdits : options.edits
        guard all.count >= held + size else {
            throw BadInput(
                split.path,
                "has \(counted(all.count, "record")); to tune takes \(held), of which settings are judged, and a batch of data.edits_per_batch = \(size) beside them")
        }
        heldOut = Array(all.suffix(held))
        warmUp = Array(all.prefix(size))
        let withSubject = heldOut.filter { record in record.edits.allSatisfy { SubjectSpan.subject(of: $0.prompt, given: record.subject) != nil } }
        space = TuningSpace(model: model, hasSubjects: 2 * withSubject.count > held, method: configuration.method)
        log = try TuningLog(directory: configuration.checkpoint.directory, communicator: communicator, message: message)
    }

    /// Collective, with the same outcome on every rank. The model is left unedited, with the modules of what was done last.
    package func run(stopRequested: @escaping () -> Bool) throws -> TuningSummary {
        let share = given.method.isTrained ? options.trainingShare : 0, limit = options.seconds * (1 - share)
        var best = try trial("as given", [:], of: [:]), isStopped = false
        let minutes = Quantity.duration(seconds: options.seconds)
        message(
            "a trial of \(counted(heldOut.count, "edit")) takes \(Quantity.duration(seconds: best.seconds)) here: of \(minutes) the search has "
                + "\(Quantity.duration(seconds: limit)), for about \(max(0, Int(limit / max(best.seconds, 1e-3)) - 1)) more"
                + (share > 0 ? ", and training what is left" : ""))
        var round = 0, improved = true
        search: while improved {
            (round, improved) = (round + 1, false)
            for stage in space.stages {
                var climbing = true
                while climbing {
                    let before = best
                    for change in stage.proposals(try configuration(before.changes), before.changes) {
                        if try work.communicator.anyTrue(stopRequested()) {
                            isStopped = true
                            break search
                        }
                        guard let next = try attempt(stage.name, change, of: before.changes, limit: limit) else {
                            message("the search has had its time, in round \(round) at \(stage.name)")
                            break search
                        }
                        if next.score > best.score + Self.margin { best = next }
                    }
                    let isBetter = best != before
                    improved = improved || isBetter
                    climbing = stage.climbs && isBetter
                }
            }
        }
        var found = try configuration(best.changes), training: TuningSummary.Training?
        if !isStopped, given.method.isTrained, let changes = try trainingChanges(best) {
            found = try configuration(best.changes.merging(changes) { $1 })
            (training, isStopped) = try train(found, stopRequested)
        }
        return TuningSummary(trials: trials, best: best, configuration: found, training: training, isStopped: isStopped, seconds: try elapsed())
    }

    /// The given one with changes.
    private func configuration(_ changes: TuningChanges) throws -> RunConfiguration {
        try RunConfiguration(
            text: given.canonicalText, source: given.source, overrides: changes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
    }

    /// Since the search began, those of earlier runs included; the same on every rank.
    private func elapsed() throws -> Double { try work.communicator.maximum((ContinuousClock.now - start) / .seconds(1)) + earlierSeconds }

    // MARK: Trials

    /// nil: there is no time for it. A configuration that cannot be is no candidate.
    private func attempt(_ stage: String, _ change: TuningChanges, of changes: TuningChanges, limit: Double) throws -> TuningTrial? {
        guard let configuration = try? configuration(changes.merging(change) { $1 }) else { return trials[0] }
        if log.trial(try identity(configuration)) == nil, try elapsed() + (trials.last?.seconds ?? 0) > limit { return nil }
        // Whether a method can edit some modules shows when its engine is made.
        do { return try trial(stage, change, of: changes) } catch is ConfigurationError { return trials[0] }
    }

    private func trial(_ stage: String, _ change: TuningChanges, of before: TuningChanges) throws -> TuningTrial {
        let changes = before.merging(change) { $1 }, configuration = try configuration(changes), identity = try identity(configuration)
        if let known = trials.first(where: { $0.identity == identity }) { return known }
        if let known = log.trial(identity) {
            trials.append(known)
            earlierSeconds += known.seconds
            return known
        }
        let start = try elapsed(), found = try score(configuration)
        let trial = TuningTrial(
            stage: stage, change: change, changes: changes, score: found.score, text: found.text, seconds: try elapsed() - start, identity: identity)
        try log.append(trial)
        trials.append(trial)
        message("\(stage)\(trial.text(separator: ", ", before: ": ")): \(found.text)")
        return trial
    }

    private func score(_ configuration: RunConfiguration) throws -> Validation {
        defer { model.restore() }
        model.restore()
        try model.selectModules(configuration.editor.modules)
        let engine = try configuration.engine(model: model, tokenizer: tokenizer, work: work)
        do {
            try engine.apply(configuration.batch(warmUp, tokenizer: tokenizer), place: "the first batch")
            model.restore()
            return try HeldOutValidator(configuration, model: model, tokenizer: tokenizer).validate(engine, on: heldOut)
        } catch let failure as NumericalFailure {
            return Validation(score: 0, details: [:], text: "the edits cannot be made: \(failure)")
        }
    }

    private func identity(_ configuration: RunConfiguration) throws -> String {
        var fingerprint = Fingerprint()
        fingerprint.mix(configuration.trainingIdentity)
        fingerprint.mix(model.fingerprint)
        for record in warmUp + heldOut { fingerprint.mix([record.prompt, record.target].joined(separator: "\n") + record.probes.map(\.prompt).joined(separator: "\n")) }
        return fingerprint.text
    }

    // MARK: Training

    /// With what the rest of the time is trained; nil: it is too short for that.
    private func trainingChanges(_ best: TuningTrial) throws -> TuningChanges? {
        let stage = "training", identity = best.identity + " " + stage
        if let known = log.trial(identity) { return known.changes }
        // A third of the time at most for validations.
        let rest = options.seconds - (try elapsed()), validations = max(1, min(8, Int(rest / 3 / max(best.seconds, 1e-3)) - 1))
        let left = rest - Double(validations + 1) * best.seconds
        // A trial makes every edit, and half of them again; learning from one takes half as much again.
        let perEdit = best.seconds / (1.5 * Double(heldOut.count)) * 1.5, size = given.data.editsPerBatch
        let sizes = TrainingData.variedSizes(upTo: size), mean = Double(sizes.reduce(0, +)) / Double(sizes.count)
        let updates = Int(left / (perEdit * mean)), length = given.data.batches
        guard updates >= max(4, 2 * validations) else {
            message("no time is left for training")
            return nil
        }
        let passes = max(1, updates / length), all = passes * length
        var changes: TuningChanges = [
            "editor.initialization": "scaled", "editor.meta_learning_rate": "0.0004", "editor.scalar_learning_rate": "0.002", "editor.max_gradient_norm": "0.3",
            "training.passes": "\(passes)", "training.batch_sizes": "varied", "training.clip": "update", "training.edit_weight": "0.5", "training.bleed_weight": "1",
            "training.neighbor_weight": "0.5", "training.neighbor_bound": "0.1",
            "training.text_weight": "10", "training.text_bound": "0.01", "training.warmup": "\(max(1, all / 10))", "training.decay": "\(all)",
            "training.validation_edits": "\(heldOut.count)", "training.validate_every": "\(max(1, all / validations))", "checkpoint.keep_best": "true",
            "checkpoint.directory": given.checkpoint.directory + "/training", "evaluation.normalizer": "frozen",
        ]
        if given.editor.mode == .sequential { changes["training.update_every"] = "1" }
        if given.plan.norm != nil { changes["editor.regularization"] = "0" }
        if !heldOut.contains(where: { !$0.lessons(.keep).isEmpty }) { (changes["training.bleed_weight"], changes["training.neighbor_weight"]) = ("0", "0") }
        try log.append(TuningTrial(stage: stage, change: changes, changes: changes, score: best.score, text: "", seconds: 0, identity: identity))
        return changes
    }

    private func train(_ configuration: RunConfiguration, _ stopRequested: @escaping () -> Bool) throws -> (TuningSummary.Training, Bool) {
        try model.selectModules(configuration.editor.modules)
        message("training, \(configuration.training.passes) × \(configuration.data.batches) batches at most, into \(configuration.checkpoint.directory)")
        let run = try TrainingRun(
            validated: configuration, model: model, tokenizer: tokenizer, communicator: work.communicator,
            output: TrainingOutput(message: message, progress: { _, _, _ in }))
        let deadline = options.seconds - (try elapsed()), start = ContinuousClock.now
        let summary = try run.run { stopRequested() || (ContinuousClock.now - start) / .seconds(1) > deadline }
        model.restore()
        let validations = summary.validations
        return ((validations?.first ?? .nan, validations?.best?.score, validations?.best?.updates ?? 0), try work.communicator.anyTrue(stopRequested()))
    }
}
