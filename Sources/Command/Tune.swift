import Amend
import ArgumentParser
import Communication
import Configuration
import Datasets
import Documents
import Foundation
import Reporting
import StandardStreams
import TensorCore
import Tuning

struct Tune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Find settings for a model and data in a given time, and train with them.",
        discussion: """
            Tries one change after another of the configuration, each by editing the last records of the training data, which are not trained on, with untrained \
            networks; then trains, for two fifths of the time. What was tried is kept in checkpoint.directory: the same command goes on where it was ended. \
            SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 or Ctrl-C: ends after the current trial or batch, with status 75.
            """)

    @OptionGroup var options: RunOptions

    @Option(help: "Minutes that it may take, those of earlier runs included.")
    var budget = 30.0

    @Option(help: ArgumentHelp("Where the configuration is written that was found; else tuned.yaml in checkpoint.directory.", valueName: "file"))
    var output: String?

    func validate() throws {
        guard budget > 0, budget.isFinite else { throw ValidationError("--budget: expected minutes, more than 0, found \(budget)") }
    }

    func run() throws {
        StopSignal.install()
        let configuration = try options.load()
        let status = Communicator.run(exitStatus: ExitStatus.of) { communicator in try tune(configuration, communicator) }
        throw ExitCode(status)
    }

    private static let firstLine = "# Found by amend tune"

    private func tune(_ configuration: RunConfiguration, _ communicator: Communicator) throws -> Int32 {
        let path = output ?? configuration.checkpoint.directory + "/tuned.yaml"
        if communicator.isRoot { try checkOutput(path) }
        let context = try RunContext(configuration, communicator)
        context.notes.forEach(context.message)
        context.message("tuning: \(context.summary)")
        let tuner = try Tuner(
            context.configuration, model: context.model, tokenizer: context.tokenizer, communicator: communicator,
            options: TuningOptions(seconds: 60 * budget), message: context.message)
        let summary = try tuner.run { StopSignal.isRequested }
        guard communicator.isRoot else { return summary.isStopped ? ExitStatus.stopped : 0 }
        try write(summary, to: path)
        try StandardOutput.write(report(summary, path))
        return summary.isStopped ? ExitStatus.stopped : 0
    }

    /// What somebody else has written stays.
    private func checkOutput(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        let bytes = try InputFile.read(path, atMost: 1 << 20, what: "configuration")
        guard bytes.starts(with: Self.firstLine.utf8) else { throw BadInput(path, "is there already and was not written by amend tune; give --output another name") }
    }

    private func write(_ summary: TuningSummary, to path: String) throws {
        let given = summary.trials[0]
        let text = """
            \(Self.firstLine) from \(options.config): a score of \(Self.number(summary.best.score)), where that had \(Self.number(given.score)).
            # \(summary.best.text)
            \(summary.configuration.canonicalText)

            """
        let file = try LinesFile(path)
        try file.append(text)
        try file.finish()
    }

    private static func number(_ score: Double) -> String { String(format: "%.1f", score) }

    private func report(_ summary: TuningSummary, _ path: String) -> String {
        if options.json {
            return JSONOutput.line([
                "configuration": .string(path), "score": .number(summary.best.score), "given": .number(summary.trials[0].score),
                "settings": Self.json(summary.best.changes),
                "trials": .array(
                    summary.trials.map {
                        [
                            "stage": .string($0.stage), "change": Self.json($0.change), "settings": Self.json($0.changes), "score": .number($0.score),
                            "seconds": .number($0.seconds),
                        ]
                    }),
                "training": summary.training.map {
                    ["before": .number($0.before), "after": $0.after.map { .number($0) } ?? .null, "updates": .integer($0.updates)]
                } ?? .null,
                "seconds": .number(summary.seconds), "stopped": .bool(summary.isStopped),
            ])
        }
        var table = TextTable(["", "score", "stage", "what it changes of the best before it"])
        for trial in summary.trials {
            table.add([trial == summary.best ? "*" : "", Self.number(trial.score), trial.stage, trial.text(separator: " ")])
        }
        let training = summary.training.map { training in
            guard let after = training.after else { return "training ended before its first validation\n" }
            return after > training.before
                ? "training: from \(Self.number(training.before)) to \(Self.number(after)), in \(counted(training.updates, "update"))\n"
                : "training made it no better than \(Self.number(training.before)), so the networks are taken as they were\n"
        }
        let untrained = summary.configuration.method.isTrained && !summary.isStopped ? "not trained yet: amend train \(path)\n" : ""
        return """
            \(table.text)\(training ?? untrained)\(counted(summary.trials.count, "trial")), \(Quantity.duration(seconds: summary.seconds))\
            \(summary.isStopped ? ", stopped before its end: the same command goes on" : "")
            \(path)

            """
    }

    private static func json(_ changes: TuningChanges) -> JSONValue { .object(JSONObject(changes.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })) }
}
