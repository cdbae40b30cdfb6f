import Amend
import ArgumentParser
import Communication
import Configuration
import Datasets
import Documents
import Foundation
import Reporting
import Settings
import StandardStreams
import TensorCore
import Transformer

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a model continue prompts, as it is or with edits applied.",
        discussion: """
            With --editor and --edits each prompt is continued twice: before the edits and after. The editor is a directory of checkpoints \
            (the newest that is whole), one checkpoint, or the configuration of a method that needs no training. Edits are a JSON array or \
            JSON Lines of {"prompt": …, "target": …}, where "{}" in a prompt stands for the record's "subject", or records in any form that training reads.
            """)

    @Option(help: "The model: a .gguf file, a directory with one, or a Hugging Face directory. With --editor: the model it was trained on, if left out.")
    var model: String?

    @Option(help: "A trained editor's checkpoints, or the configuration (.yaml) of an editor that needs no training.")
    var editor: String?

    @Option(help: "The edits to apply.", completion: .file())
    var edits: String?

    @Option(help: "The form of the records of --edits: \(DatasetFormat.all.map(\.name).joined(separator: ", ")) (any of them).")
    var format: DatasetFormat = .edits

    @Option(help: "Use only the first so many edits.")
    var limit: Int?

    @Option(help: "Make each edit at so many of its record's prompts in other words too; as the editor was trained, if left out.")
    var rephrasings: Int?

    @Option(help: "Warn where the edits change more than so many percent of the likeliest next tokens of plain text that they are not about.")
    var driftBound = 10.0

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
        guard (0...100).contains(driftBound) else { throw ValidationError("--drift-bound is \(driftBound); expected 0 to 100 (percent).") }
        guard temperature >= 0, temperature.isFinite else { throw ValidationError("--temperature is \(temperature); expected a number of at least 0.") }
        guard topK >= 0 else { throw ValidationError("--top-k is \(topK); expected at least 0.") }
        guard topP > 0, topP <= 1 else { throw ValidationError("--top-p is \(topP); expected a number above 0 and at most 1.") }
        guard (0...32).contains(rephrasings ?? 0) else { throw ValidationError("--rephrasings is \(rephrasings ?? 0); expected 0 to 32.") }
        guard rephrasings == nil || edits != nil else { throw ValidationError("--rephrasings is of --edits.") }
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
        let (session, records) = try open()
        session.notes.forEach(StandardError.writeLine)
        try session.check(records)
        var sampling = Sampling()
        (sampling.temperature, sampling.topK, sampling.topP, sampling.seed, sampling.maxTokens) = (temperature, topK, topP, seed, maxTokens)
        for prompt in prompts { _ = try session.tokens(of: prompt) }
        func continuations() throws -> [Continuation] { try prompts.map { try session.continuation(of: $0, sampling) } }
        let before = try continuations()
        if !records.isEmpty { try session.edit(records) }
        let after = records.isEmpty ? [] : try continuations(), drift = records.isEmpty ? nil : try session.drift()
        if let drift, drift.tokensKept < 100 - driftBound { StandardError.writeLine(warning(drift, records.count)) }
        if json { return try report(before, after, drift, edits: session.editCount) }
        for (index, prompt) in prompts.enumerated() {
            if after.isEmpty {
                try StandardOutput.writeLine(prompt + before[index].text)
            } else {
                try StandardOutput.writeLine("before  \(prompt)\(before[index].text)\nafter   \(prompt)\(after[index].text)")
            }
        }
    }

    /// The model, and the edits that wait to be made to it.
    private func open() throws -> (EditingSession, [EditRecord]) {
        guard let editor, let edits else { return (try EditingSession(model: model ?? "", weights: weights, threads: threads), []) }
        // Before the model, which may be large: what is wrong with a user's own edits shows at once.
        let all = try DatasetFile.load(edits, format: format), records = limit.map { Array(all.prefix($0)) } ?? all
        let settings = [("model.weights", weights.rawValue), ("model.path", model), ("editor.rephrasings", rephrasings.map(String.init))]
        let given = settings.compactMap { key, value in value.map { "\(key)=\($0)" } }
        let source =
            try editor.hasSuffix(".yaml") || editor.hasSuffix(".yml")
            ? EditorSource(configuration: editor, settings: given) : EditorSource(checkpoints: editor, settings: given, report: StandardError.writeLine)
        try source.check(records).forEach(StandardError.writeLine)
        return (try EditingSession(source, threads: threads), records)
    }

    private func warning(_ drift: Drift, _ edits: Int) -> String {
        "the \(edits == 1 ? "edit changes" : "edits change") plain text too: \(String(format: "%.1f", 100 - drift.tokensKept)) % of its likeliest next tokens, "
            + "more than --drift-bound \(Quantity.significant(driftBound, digits: 3)); its perplexity is × \(String(format: "%.2f", drift.perplexityRatio))"
    }

    private func report(_ before: [Continuation], _ after: [Continuation], _ drift: Drift?, edits: Int) throws {
        try JSONOutput.write([
            "edits": .integer(edits),
            "drift": drift.map { ["tokensKept": .number($0.tokensKept), "perplexityRatio": .number($0.perplexityRatio), "divergence": .number($0.divergence)] } ?? .null,
            "continuations": .array(
                prompts.enumerated().map { index, prompt in
                    ["prompt": .string(prompt), "before": before[index].json, "after": after.isEmpty ? .null : after[index].json]
                }),
        ])
    }
}

extension DatasetFormat: ExpressibleByArgument {
    package init?(argument: String) {
        guard let format = Self.all.first(where: { $0.name == argument }) else { return nil }
        self = format
    }

    package var defaultValueDescription: String { name }
    package static var allValueStrings: [String] { all.map(\.name) }
}

extension WeightPrecision: ExpressibleByArgument {}

extension Continuation {
    fileprivate var json: JSONValue { ["text": .string(text), "tokens": .array(tokens.map { .integer(Int($0)) }), "stop": .string(stop.rawValue)] }
}
