import ArgumentParser
import Communication
import Configuration
import Datasets
import Editing
import Editors
import Foundation
import Reporting
import StandardStreams
import TensorCore
import Tokenizers
import Training
import Transformer

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a model continue prompts, as it is or with edits applied.",
        discussion: """
            With --editor and --edits each prompt is continued twice: before the edits and after. The editor is a directory of checkpoints \
            (the newest that is whole) or one checkpoint. Edits are a JSON array or JSON Lines of {"prompt": …, "target": …}, where "{}" in a \
            prompt stands for the record's "subject", or records in the form of CounterFact, zsRE or EasyEdit.
            """)

    @Option(help: "The model: a .gguf file, a directory with one, or a Hugging Face directory. With --editor: the model it was trained on, if left out.")
    var model: String?

    @Option(help: "A trained editor's checkpoints.", completion: .directory)
    var editor: String?

    @Option(help: "The edits to apply.", completion: .file())
    var edits: String?

    @Option(help: "The form of the records of --edits: \(DatasetFormat.allCases.map(\.rawValue).joined(separator: ", ")) (any of them).")
    var format: DatasetFormat = .edits

    @Option(help: "Use only the first so many edits.")
    var limit: Int?

    @Option(help: "Tokens to generate at most.")
    var maxTokens = 32

    @Option(help: "0: always the most likely token. Above: draw from the distribution, sharper below 1, flatter above.")
    var temperature = 0.0

    @Option(help: "Draw among so many of the most likely tokens; 0: among all.")
    var topK = 0

    @Option(help: "Draw among the most likely tokens that together have this probability.")
    var topP = 1.0

    @Option(help: "Of the draws.")
    var seed: UInt64 = 1

    @Option(help: "How the weights are held: \(WeightPrecision.allCases.map(\.rawValue).joined(separator: ", ")).")
    var weights: WeightPrecision = .auto

    @Option(help: "Threads; all usable cores if left out.")
    var threads: Int?

    @Flag(help: "Print one JSON object on standard output and nothing else there.")
    var json = false

    @Argument(help: "The texts to continue.")
    var prompts: [String]

    func validate() throws {
        guard model != nil || editor != nil else { throw ValidationError("Name a model (--model) or an editor (--editor).") }
        guard (editor == nil) == (edits == nil) else { throw ValidationError("--editor and --edits belong together.") }
        guard (1...1_000_000).contains(maxTokens) else { throw ValidationError("--max-tokens is \(maxTokens); expected 1 to 1000000.") }
        guard temperature >= 0, temperature.isFinite else { throw ValidationError("--temperature is \(temperature); expected a number of at least 0.") }
        guard topK >= 0 else { throw ValidationError("--top-k is \(topK); expected at least 0.") }
        guard topP > 0, topP <= 1 else { throw ValidationError("--top-p is \(topP); expected a number above 0 and at most 1.") }
        guard limit ?? 1 >= 1 else { throw ValidationError("--limit is \(limit ?? 0); expected at least 1.") }
        guard (1...4096).contains(threads ?? 1) else { throw ValidationError("--threads is \(threads ?? 0); expected 1 to 4096.") }
    }

    func run() throws {
        let status = Communicator.run(exitStatus: ExitStatus.of) { communicator in
            guard communicator.size == 1 else {
                throw ConfigurationError(location: "amend generate", keyPath: nil, problem: "runs as one process; start it without mpirun")
            }
            try generate(communicator)
            return 0
        }
        throw ExitCode(status)
    }

    private func generate(_ communicator: Communicator) throws {
        Threads.start(try threads ?? threadsForThisRank(.auto, communicator: communicator))
        let subject = try Subject(self, communicator)
        subject.tokenizer.notes.forEach(StandardError.writeLine)
        let choice = TokenChoice(temperature: temperature, topK: topK, topP: topP, seed: seed)
        let inputs = try prompts.map { prompt in
            let tokens = subject.tokenizer.encode(prompt, addSpecialTokens: true)
            guard !tokens.isEmpty else { throw BadInput("the prompt '\(prompt)'", "has no tokens") }
            try subject.model.check(tokens, of: "the prompt")
            return tokens
        }
        func continuations() -> [Continuation] { inputs.map { Continuation(of: $0, subject, choice, maxTokens: maxTokens) } }
        let before = continuations(), count = try subject.applyEdits()
        let after = count > 0 ? continuations() : []
        if json { return try report(before, after, edits: count) }
        for (index, prompt) in prompts.enumerated() {
            if after.isEmpty {
                try StandardOutput.writeLine(prompt + before[index].text)
            } else {
                try StandardOutput.writeLine("before  \(prompt)\(before[index].text)\nafter   \(prompt)\(after[index].text)")
            }
        }
    }

    private func report(_ before: [Continuation], _ after: [Continuation], edits: Int) throws {
        try JSONOutput.write([
            "edits": .integer(edits),
            "continuations": .array(prompts.enumerated().map { index, prompt in
                ["prompt": .string(prompt), "before": before[index].json, "after": after.isEmpty ? .null : after[index].json]
            }),
        ])
    }
}

extension DatasetFormat: ExpressibleByArgument {}
extension WeightPrecision: ExpressibleByArgument {}

/// The model that is asked, and the edits that wait to be applied to it.
private struct Subject {
    let model: LanguageModel
    let tokenizer: Tokenizer
    private let engine: EditEngine?
    private let records: [EditRecord]
    private let configuration: RunConfiguration?

    init(_ command: Generate, _ communicator: Communicator) throws {
        guard let editorPath = command.editor, let edits = command.edits else {
            let source = try ModelSource(command.model ?? "")
            (model, tokenizer) = (try source.loadModel(weights: command.weights), try source.loadTokenizer())
            model.loadingNotes.forEach(StandardError.writeLine)
            (engine, records, configuration) = (nil, [], nil)
            return
        }
        // Before the model, which may be large: what is wrong with a user's own edits shows at once.
        let all = try DatasetFile.load(edits, format: command.format)
        records = command.limit.map { Array(all.prefix($0)) } ?? all
        let (checkpoint, configuration) = try TrainedEditor.open(
            editorPath, overrides: ["model.weights=\(command.weights.rawValue)"] + (command.model.map { ["model.path=\($0)"] } ?? []),
            exchange: communicator, report: StandardError.writeLine)
        try EditorSetup.check(configuration)
        let repeated = RepeatedPrompts(records)
        try repeated.checkBatches(of: Self.batchSize(records.count, configuration))
        repeated.notesOnEdits.forEach(StandardError.writeLine)
        let source = try ModelSource(configuration.model.path)
        (model, tokenizer) = (try source.loadModel(weights: command.weights), try source.loadTokenizer())
        model.loadingNotes.forEach(StandardError.writeLine)
        model.arithmetic = EditorSetup.arithmetic(configuration)
        try model.selectModules(configuration.editor.modules)
        try Self.check(records, tokenizer, model)
        let engine = EditorSetup.engine(configuration, model: model, work: EditorSetup.work(configuration, communicator))
        _ = try TrainedEditor.load(checkpoint, into: engine, configuration: configuration)
        self.engine = engine
        self.configuration = configuration
    }

    /// Applies the edits as the editor was trained to: in batches to the same model, or all together in batch mode. Returns their number.
    func applyEdits() throws -> Int {
        guard let engine, let configuration else { return 0 }
        let size = Self.batchSize(records.count, configuration)
        for first in stride(from: 0, to: records.count, by: size) {
            let part = Array(records[first..<min(records.count, first + size)])
            let batch = try EditBatch(records: part, tokenizer: tokenizer, microBatch: configuration.data.microBatch)
            try engine.apply(batch.edits, place: "edits \(first + 1) to \(first + part.count)")
        }
        return records.count
    }

    private static func batchSize(_ count: Int, _ configuration: RunConfiguration) -> Int {
        configuration.editor.mode == .batch ? count : configuration.data.editsPerBatch
    }

    /// Every edit before any is applied.
    private static func check(_ records: [EditRecord], _ tokenizer: Tokenizer, _ model: LanguageModel) throws {
        for record in records {
            let sequence = try TokenSequence(prompt: record.prompt, answer: record.target, tokenizer: tokenizer, of: record)
            try model.check(sequence.prompt + sequence.answer, of: record.place)
        }
    }
}

/// What a model adds to a prompt.
private struct Continuation {
    let text: String
    let tokens: [Int32]
    /// "end": the model ended the text; "length": it was cut.
    let stop: String

    init(of prompt: [Int32], _ subject: Subject, _ choice: TokenChoice, maxTokens: Int) {
        let capacity = min(subject.model.longestSequence, prompt.count + maxTokens)
        let reader = TextReader(subject.model, capacity: capacity)
        var tokens: [Int32] = [], next = prompt, stop = "length"
        while prompt.count + tokens.count < capacity {
            let token = choice.token(reader.read(next), index: tokens.count)
            if token == subject.tokenizer.endOfText {
                stop = "end"
                break
            }
            tokens.append(token)
            next = [token]
        }
        self.tokens = tokens
        self.stop = stop
        text = Self.text(of: tokens, after: prompt, subject.tokenizer)
    }

    /// A continuation is decoded with its prompt: on its own its first token might lose its space.
    private static func text(of tokens: [Int32], after prompt: [Int32], _ tokenizer: Tokenizer) -> String {
        let start = tokenizer.decode(prompt, skipSpecialTokens: true), whole = tokenizer.decode(prompt + tokens, skipSpecialTokens: true)
        return whole.hasPrefix(start) ? String(whole.dropFirst(start.count)) : tokenizer.decode(tokens, skipSpecialTokens: true)
    }

    var json: JSONValue { ["text": .string(text), "tokens": .array(tokens.map { .integer(Int($0)) }), "stop": .string(stop)] }
}
