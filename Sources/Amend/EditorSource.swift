import Checkpointing
import Communication
import Configuration
import Datasets
import Training

/// Where a session's model and editor come from, before either is loaded.
public struct EditorSource {
    package let configuration: RunConfiguration
    let checkpoint: LoadedCheckpoint?
    /// Its run found no networks better than those it began with.
    let isBetterUntrained: Bool

    /// A configuration as `amend train` reads it, with settings (`key.path=value`) that replace the file's. The editor is the newest under its checkpoint
    /// directory; without one the session must train before it edits, but for methods that are not trained.
    public init(configuration path: String, settings: [String] = []) throws {
        try self.init(RunConfiguration.load(path: path, overrides: settings))
    }

    /// A method and the modules that it edits, with further settings: for methods that need no training, and to train one.
    public init(model: String, method: String, modules: [String], settings: [String] = []) throws {
        func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
        let text = "{model: {path: \(quoted(model))}, editor: {method: \(quoted(method)), modules: [\(modules.map(quoted).joined(separator: ", "))]}}"
        try self.init(RunConfiguration(text: text, source: "the session's settings", overrides: settings))
    }

    private init(_ configuration: RunConfiguration) throws {
        let choice = try ComputeChoice(configuration, Communicator())
        self.configuration = choice.configuration
        let best = try TrainedEditor.best(in: configuration.checkpoint.directory, exchange: Communicator(), report: { _ in })
        (checkpoint, isBetterUntrained) = (best?.checkpoint, best?.isBetterUntrained ?? false)
    }

    /// A trained editor: a directory of checkpoints (the newest that is whole) or one checkpoint.
    public init(checkpoints directory: String, settings: [String] = [], report: @escaping (String) -> Void = { _ in }) throws {
        let found = try TrainedEditor.open(directory, overrides: settings, exchange: Communicator(), report: report)
        (checkpoint, configuration, isBetterUntrained) = (found.checkpoint, found.configuration, found.isBetterUntrained)
    }

    /// Refuses edits that contradict each other where they would be made together; returns what else is to be said of them.
    public func check(_ records: [EditRecord]) throws -> [String] {
        let repeated = RepeatedPrompts(records)
        try repeated.checkBatches(of: batchSize(records.count))
        return repeated.notesOnEdits + configuration.notes(onEdits: records)
    }

    /// Edits that are made together: as the editor was trained to, or all in batch mode.
    func batchSize(_ count: Int) -> Int { configuration.editor.mode == .batch ? max(1, count) : configuration.data.editsPerBatch }
}
