import Communication
import Configuration
import Datasets
import Editing
import Evaluation
import TensorCore
import Tokenization
import Training
import Transformer

/// A language model in this process, with an editor or without: ask it, edit it, score it, train its editor, take its edits back.
///
///     let session = try EditingSession(EditorSource(checkpoints: "runs/quickstart"))
///     try session.edit([Edit("The capital of France is", "Rome")])
///     print(try session.continuation(of: "The capital of France is").text)
///     session.takeBack()
///
/// Weights stay in their file, mapped; edits lie beside them, and nothing is written. To be used from one thread at a time, and one session at a time: all share the
/// process's threads. Loading sets `model.arithmetic` and starts `threads` threads, or one for each processor.
public final class EditingSession {
    package let model: LanguageModel
    package let tokenizer: Tokenizer
    /// What loading had to say.
    public let notes: [String]
    /// Edits that the model carries.
    public private(set) var editCount = 0
    private let source: EditorSource?
    private let engine: EditEngine?
    private let communicator = Communicator()
    /// The editor has been trained, or needs no training.
    private var isTrained = false

    /// A model to be asked only: a .gguf file, a directory with one, or a Hugging Face directory.
    public init(model path: String, weights: WeightPrecision = .auto, threads: Int? = nil) throws {
        Threads.start(try threadsForThisRank(threads, communicator: communicator))
        let files = try ModelSource(path)
        (model, tokenizer) = (try files.loadModel(weights: weights), try files.loadTokenizer())
        notes = model.loadingNotes + tokenizer.notes
        (source, engine) = (nil, nil)
    }

    /// A model and its editor.
    public init(_ source: EditorSource, threads: Int? = nil) throws {
        let configuration = source.configuration, context = try RunContext(configuration, communicator, threads: threadsForThisRank(threads, communicator: communicator))
        (model, tokenizer, notes) = (context.model, context.tokenizer, context.notes)
        let engine = try configuration.engine(model: model, tokenizer: tokenizer, work: configuration.work(communicator))
        if let checkpoint = source.checkpoint {
            _ = try TrainedEditor.load(checkpoint, into: engine, configuration: configuration, isUntrained: source.isBetterUntrained)
        }
        engine.observes = configuration.evaluation.normalizer == .online
        (self.source, self.engine) = (source, engine)
        isTrained = source.checkpoint != nil || !configuration.method.isTrained
    }

    // MARK: Asking

    /// What the model, with the edits that it carries, adds to a prompt.
    public func continuation(of prompt: String, _ sampling: Sampling = Sampling()) throws -> Continuation {
        Continuation(of: try tokens(of: prompt), model, tokenizer, sampling)
    }

    /// The tokens of a prompt that the model can read.
    public func tokens(of prompt: String) throws -> [Int32] {
        let tokens = tokenizer.encode(prompt, addSpecialTokens: true)
        guard !tokens.isEmpty else { throw BadInput("the prompt '\(prompt)'", "has no tokens") }
        try model.check(tokens, of: "the prompt")
        return tokens
    }

    // MARK: Editing

    /// Makes the edits, beside those that the model carries: in batches, one after another, as the editor was trained to. Every edit is checked before any is made.
    public func edit(_ edits: [Edit]) throws { try edit(edits.enumerated().map { $1.record(editCount + $0 + 1) }) }

    /// Likewise, with records of a data file: see `DatasetFile`.
    public func edit(_ records: [EditRecord]) throws {
        let (source, engine) = try editor()
        guard isTrained else { throw BadInput(source.configuration.checkpoint.directory, "holds no checkpoint; train first") }
        let records = records.map { $0.editing(rephrasings: source.configuration.editor.rephrasings) }
        _ = try source.check(records)
        try check(records)
        let size = source.batchSize(records.count)
        for first in stride(from: 0, to: records.count, by: size) {
            let part = Array(records[first..<min(records.count, first + size)])
            let batch = try source.configuration.batch(part, tokenizer: tokenizer)
            try engine.apply(batch, place: "edits \(first + 1) to \(first + part.count)")
            editCount += part.count
        }
    }

    /// Throws for the first edit that the model cannot read.
    public func check(_ records: [EditRecord]) throws {
        for record in records {
            for edit in record.edits {
                let sequence = try TokenSequence(edit, tokenizer, of: record)
                try model.check(sequence.prompt + sequence.answer, of: record.place)
            }
        }
    }

    /// Gives the model back as it was, to the bit. What the editor's normalisers have seen stays.
    public func takeBack() {
        model.restore()
        editCount = 0
    }

    // MARK: Training and scoring

    /// Meta-trains the editor by the source's configuration, resuming where its checkpoints end, and takes it into use; edits are taken back.
    @discardableResult public func train(report: @escaping (String) -> Void = { _ in }) throws -> TrainingSummary {
        let (source, engine) = try editor()
        takeBack()
        let run = try TrainingRun(
            validated: source.configuration, model: model, tokenizer: tokenizer, communicator: communicator,
            output: TrainingOutput(message: report, progress: { _, _, _ in }))
        let summary = try run.run { false }
        takeBack()
        _ = try TrainedEditor.load(into: engine, configuration: source.configuration, report: report)
        isTrained = true
        return summary
    }

    /// Scores the model as it is on records of a data file.
    public func score(_ records: [EditRecord]) throws -> ScoreReport {
        let work = engine?.work ?? ShardedWork(communicator: communicator, shards: 1)
        return try Scorer(records, model: model, tokenizer: tokenizer, work: work).score(0..<records.count).report
    }

    /// What the edits that the model carries have made of plain text that they are not about.
    public func drift() throws -> Drift {
        let work = engine?.work ?? ShardedWork(communicator: communicator, shards: 1)
        let meter = model.unedited { DriftMeter(Array(PlainText.heldOut.prefix(12)), model: model, tokenizer: tokenizer, work: work) }
        return try meter.measure()
    }

    private func editor() throws -> (EditorSource, EditEngine) {
        guard let source, let engine else { throw BadInput("the session", "has a model and no editor; open it with an EditorSource") }
        return (source, engine)
    }
}
