import Foundation
import TestSupport
import Testing

/// A configuration of `amend` for a ``TinyModel`` with its model and data, in a temporary directory that is removed with this
/// object. See ``TinyFiles``.
final class TinyRun: Sendable {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("amend-\(UUID().uuidString.prefix(8))")

    init(model: TinyModel = TinyModel()) throws {
        try TinyFiles.write(to: directory, model: model)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func file(_ name: String) -> URL { directory.appendingPathComponent(name) }

    /// "amend-1A2B3C4D": in the command line of every process that works on this run, and of no other.
    var marker: String { directory.lastPathComponent }

    // MARK: Running

    /// Runs `amend COMMAND run.yaml --json SETTINGS`, under mpirun where `ranks` is given.
    func amend(_ command: String, ranks: Int? = nil, _ settings: [String] = [], environment: [String: String] = [:]) throws -> ProgramResult {
        try run(arguments: [command, file("run.yaml").path, "--json"] + settings, ranks: ranks, environment: environment)
    }

    /// Runs `amend` with any arguments. Open MPI keeps its files in the run's directory: a killed job leaves them behind.
    func run(arguments: [String], ranks: Int? = nil, environment: [String: String] = [:]) throws -> ProgramResult {
        let program = try builtProgram("amend"), limit = 180.0
        guard let ranks else { return try TestSupport.run(program: program, arguments: arguments, environment: environment, timeoutSeconds: limit) }
        let files = ["TMPDIR": directory.path, "OMPI_MCA_btl_vader_backing_directory": directory.path]
        return try mpirun(
            ranks: ranks, program: program, arguments: arguments, environment: files.merging(environment) { $1 }, timeoutSeconds: limit)
    }

    /// Trains to the end, in the checkpoint directory `name`.
    func train(ranks: Int? = nil, into name: String = "checkpoints", _ settings: [String] = [], environment: [String: String] = [:]) throws -> Trained {
        let result = try amend("train", ranks: ranks, ["checkpoint.directory=\(file(name).path)"] + settings, environment: environment)
        try #require(result.status == 0, "status \(result.status): \(result.errors)")
        return try JSONDecoder().decode(Trained.self, from: Data(result.output.utf8))
    }

    func evaluate(ranks: Int? = nil, _ settings: [String] = []) throws -> Evaluated {
        let result = try amend("evaluate", ranks: ranks, settings)
        try #require(result.status == 0, "status \(result.status): \(result.errors)")
        return try JSONDecoder().decode(Evaluated.self, from: Data(result.output.utf8))
    }

    // MARK: What a run has left

    /// The batches of metrics.jsonl, in its order; a line still being written is left out.
    func loggedBatches(_ name: String = "checkpoints") -> [Int] {
        struct Line: Decodable { let batch: Int }
        let data = (try? Data(contentsOf: file("\(name)/metrics.jsonl"))) ?? Data()
        return data.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONDecoder().decode(Line.self, from: Data($0)).batch }
    }

    /// Names under the checkpoint directory that end so, sorted.
    func checkpoints(_ name: String = "checkpoints", suffix: String = "") -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: file(name).path)) ?? []
        return names.filter { $0.hasPrefix("step-") && $0.hasSuffix(suffix) && (suffix != "" || !$0.contains(".")) }.sorted()
    }
}

/// What `amend train --json` prints.
struct Trained: Decodable {
    let checkpoint: String, digest: String
    let batches: Int, edits: Int, updates: Int, ranks: Int
    /// nil where the method is not trained.
    let loss: Double?
    let seconds: Double, secondsPerEdit: Double
}

/// What `amend evaluate --json` prints.
struct Evaluated: Decodable {
    struct Scores: Decodable, Equatable {
        let efficacy: Double, generalization: Double, specificity: Double
    }

    struct Drift: Decodable, Equatable {
        let divergence: Double, tokensKept: Double, perplexityRatio: Double, bleed: Double
        let tokens: Int
    }

    struct Single: Decodable, Equatable {
        let edits: Int
        let scores: Scores, exactMatch: Scores, unchanged: Scores
        let drift: Drift
    }

    let `protocol`: String
    let edits: Int, ranks: Int
    let efficacy: Double, generalization: Double, specificity: Double
    let before: Scores
    let exactMatch: [String: Scores]
    struct Intervals: Decodable {
        let scores: [String: [Double]]
    }

    let unchanged: Scores
    let intervals: Intervals
    let drift: Drift
    let single: Single?
    struct InContext: Decodable, Equatable {
        let scores: [String: Double?], unchanged: [String: Double?]  // nothing where prompts do not fit
    }

    let inContext: InContext?
    let seconds: Double, secondsPerEdit: Double
    let checkpoint: String?
    let untrained: Bool

    var after: Scores { Scores(efficacy: efficacy, generalization: generalization, specificity: specificity) }
}

extension ProgramResult {
    /// What was printed on standard error, without blank lines and mpirun's own.
    var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
}
