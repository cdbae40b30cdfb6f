import Checkpointing
import Communication
import Configuration
import Editing
import Editors
import Reporting
import Settings
import TensorCore
import Transformer

/// Reads a trained editor back for use.
package enum TrainedEditor {
    /// Fills the engine's editor from the best valid checkpoint under the configuration's directory; returns the checkpoint's path and the batches
    /// trained. A method that is not trained needs no checkpoint: nil, and the editor stays as it is. With `isUntrained` only what the normalisers have seen is read,
    /// where there is a checkpoint, and the networks stay what they were before training.
    package static func load(
        into engine: EditEngine, configuration: RunConfiguration, isUntrained: Bool = false,
        report: @escaping (String) -> Void
    ) throws -> (path: String, batches: Int, isUntrained: Bool)? {
        let directory = configuration.checkpoint.directory
        guard let (checkpoint, isBetterUntrained) = try best(in: directory, exchange: engine.work.communicator, report: report) else {
            if isUntrained || !configuration.method.isTrained { return nil }
            throw BadInput(directory, "holds no checkpoint; train first")
        }
        return try load(checkpoint, into: engine, configuration: configuration, isUntrained: isUntrained || isBetterUntrained)
    }

    /// The best valid checkpoint under `directory`, or the one that `directory` is, and the configuration of the run that wrote it, with
    /// `overrides`.
    package static func open(
        _ directory: String, overrides: [String], exchange: Communicator,
        report: @escaping (String) -> Void
    ) throws -> (checkpoint: LoadedCheckpoint, configuration: RunConfiguration, isBetterUntrained: Bool) {
        guard let (checkpoint, isBetterUntrained) = try best(in: directory, exchange: exchange, report: report) else {
            throw BadInput(directory, "holds no checkpoint")
        }
        let configuration: RunConfiguration
        do {
            configuration = try RunConfiguration(recorded: checkpoint.configuration, source: checkpoint.path, overrides: overrides)
        } catch let error as ConfigurationError {
            throw BadInput(checkpoint.path, "its configuration cannot be used: \(error)")
        }
        return (checkpoint, configuration, isBetterUntrained)
    }

    /// The newest valid checkpoint under `directory`, or the one before it that its run found better and kept; or the one that `directory` is. `isBetterUntrained`: that run's
    /// validations found no networks better than those it began with.
    package static func best(
        in directory: String, exchange: Communicator, report: @escaping (String) -> Void
    ) throws -> (checkpoint: LoadedCheckpoint, isBetterUntrained: Bool)? {
        let reader = CheckpointReader(directory: directory, report: report)
        guard let newest = try reader.newest(exchange: exchange) else { return nil }
        guard newest.path != directory, let saved = try? newest.document.state.decode(SavedState.self, location: newest.path),
            let history = saved.progress.validations, let best = history.best,
            let recorded = try? RunConfiguration(recorded: newest.configuration, source: newest.path), recorded.checkpoint.keepBest == .yes
        else { return (newest, false) }
        if let first = history.first, first > best.score {
            report(
                "\(directory): training has made no better editor than it began with (validation \(Quantity.significant(best.score, digits: 3)), before training "
                    + "\(Quantity.significant(first, digits: 3))), so the networks are taken as they were; name a checkpoint to have that")
            return (newest, true)
        }
        guard best.batches < newest.step, let checkpoint = try reader.newest(upTo: best.batches, exchange: exchange), checkpoint.step == best.batches else {
            return (newest, false)
        }
        return (checkpoint, false)
    }

    package static func load(
        _ checkpoint: LoadedCheckpoint, into engine: EditEngine, configuration: RunConfiguration, isUntrained: Bool = false
    ) throws -> (path: String, batches: Int, isUntrained: Bool) {
        try checkEditor(of: checkpoint, configuration)
        let saved = try checkpoint.document.state.decode(SavedState.self, location: checkpoint.path)
        guard saved.model == engine.model.fingerprint else {
            throw BadInput(checkpoint.path, "was trained on another model than \(configuration.model.path)")
        }
        let state = EditorState(editor: engine.editor, model: engine.model, work: engine.work)
        try state.load(isUntrained ? .normalizers : .editor, of: checkpoint, momentCounts: saved.momentCounts)
        return (checkpoint.path, saved.progress.batches, isUntrained)
    }

    /// The settings that say what the networks are, and which modules they belong to, cannot differ from those trained with.
    private static func checkEditor(of checkpoint: LoadedCheckpoint, _ configuration: RunConfiguration) throws {
        guard let identity = checkpoint.document.notes["identity"]?.string else { return }
        let differences = try configuration.trainingDifferences(from: identity, ofEditor: true)
        guard differences.isEmpty else {
            throw ConfigurationError(
                location: configuration.source, keyPath: "editor",
                problem: "\(checkpoint.path) was trained with other settings (\(differences.joined(separator: "; ")))")
        }
    }
}
