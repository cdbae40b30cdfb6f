import Amend
import ArgumentParser
import Communication
import Configuration
import Documents
import Evaluation
import Foundation
import Reporting
import StandardStreams
import TensorCore
import Training

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Edit the evaluation set with the trained editor and score it, before and after.")

    @OptionGroup var options: RunOptions

    @Flag(help: "Edit with the networks as they were before training: what does it gain?")
    var untrained = false

    @Option(name: .customLong("records"), help: ArgumentHelp("Write what each record gave to this file, as JSON Lines.", valueName: "file"))
    var recordsPath: String?

    func run() throws {
        let configuration = try options.load()
        let status = Communicator.run(exitStatus: ExitStatus.of) { communicator in try evaluate(configuration, communicator) }
        throw ExitCode(status)
    }

    private func evaluate(_ configuration: RunConfiguration, _ communicator: Communicator) throws -> Int32 {
        let recordsFile = try communicator.isRoot ? recordsPath.map { try LinesFile($0) } : nil
        let context = try RunContext(configuration, communicator)
        context.notes.forEach(context.message)
        context.message("evaluating: \(context.summary)")
        let run = try EvaluationRun(
            context.configuration, model: context.model, tokenizer: context.tokenizer, communicator: communicator,
            isUntrained: untrained, message: context.message)
        let line = communicator.isRoot ? ProgressLine("editing", total: configuration.evaluation.batches, unit: "batches") : nil
        let summary = try run.run { done, _ in line?.update(done: done) }
        line?.finish()
        let memory = try context.memory(), operations = try communicator.sum(summary.operations)
        if communicator.isRoot {
            try write(report(summary, ranks: communicator.size, operations: operations, memory: memory))
            if let recordsFile { try RecordLines.write(summary.records, to: recordsFile) }
        }
        return 0
    }

    /// Scores may have taken hours: if standard output does not take them, the error has them.
    private func write(_ text: String) throws {
        do {
            try StandardOutput.write(text)
        } catch let error as OutputError {
            throw error.adding("it was to be:\n\(text.trimmingCharacters(in: .newlines))")
        }
    }

    private func report(_ summary: EvaluationSummary, ranks: Int, operations: Double, memory: RunMemory) -> String {
        func perEdit(_ seconds: Double) -> Double { seconds / Double(max(1, summary.records.count)) }
        if options.json {
            let scores = summary.after.scores.kinds.map { ($0.name, JSONValue.number(summary.after.scores[$0])) }
            let rest: JSONObject = [
                "harmonicMean": ["before": .number(summary.before.harmonicMean.value), "after": .number(summary.after.harmonicMean.value)],
                "before": summary.before.scores.json, "intervals": Self.intervals(summary.after),
                "tokenAccuracy": ["before": summary.before.tokenAccuracy.json, "after": summary.after.tokenAccuracy.json],
                "exactMatch": ["before": summary.before.exactMatch.json, "after": summary.after.exactMatch.json],
                "unchanged": summary.after.unchanged.json, "inContext": summary.inContext.map { .object(Self.members($0)) } ?? .null,
                "drift": summary.drift.map(Self.json) ?? .null,
                "single": summary.single.map(Self.json) ?? .null, "seconds": .number(summary.seconds),
                "secondsPerEdit": .number(perEdit(summary.seconds)), "scoringBeforeSeconds": .number(summary.scoringBeforeSeconds),
                "editingSeconds": .number(summary.editingSeconds), "scoringAfterSeconds": .number(summary.scoringAfterSeconds),
                "ranks": .integer(ranks), "operations": .number(operations), "residentBytes": .integer(memory.resident),
                "privateBytes": .integer(memory.owned), "mappedBytes": .integer(memory.mapped),
                "checkpoint": summary.checkpoint.map { .string($0) } ?? .null, "untrained": .bool(summary.isUntrained),
            ]
            return JSONOutput.line(
                JSONObject(
                    [("protocol", .string(summary.after.scoring.rawValue)), ("edits", .integer(summary.records.count))] + scores + rest.members.map { ($0.key, $0.value) }
                ))
        }
        func text(_ seconds: Double) -> String { Quantity.significant(perEdit(seconds), digits: 2) }
        let kinds = summary.after.tokenAccuracy.kinds
        var table = TextTable([""] + kinds.map(\.name) + ["harmonic mean"])
        func add(_ name: String, _ scores: Scores, _ mean: Estimate? = nil, _ text: (Estimate) -> String = { $0.text }) {
            table.add([name] + kinds.map { text(scores.estimate($0)) } + [mean.map { text($0) } ?? ""])
        }
        func add(_ name: String, _ report: ScoreReport) {
            add(name, report.scores, report.harmonicMean)
            add("  95 % interval", report.scores, report.harmonicMean) { $0.intervalText }
        }
        add("before", summary.before.scores, summary.before.harmonicMean)
        add("after", summary.after)
        add("token accuracy before", summary.before.tokenAccuracy)
        add("token accuracy after", summary.after.tokenAccuracy)
        add("says it before", summary.before.exactMatch)
        add("says it after", summary.after.exactMatch)
        add("next token unchanged", summary.after.unchanged)
        if let single = summary.single {
            add("after one edit alone", single.after)
            add("says it", single.after.exactMatch)
            add("next token unchanged", single.after.unchanged)
        }
        if let inContext = summary.inContext {
            add("unedited, told in the prompt", inContext)
            add("says it", inContext.exactMatch)
            add("next token unchanged", inContext.unchanged)
        }
        let drift = [("", summary.drift), (" after one edit alone", summary.single?.drift)].compactMap { when, drift in drift.map { Self.text($0, when: when) } }.joined()
        return """
            \(table.text)\(drift)
            \(summary.records.count) edits, protocol \(summary.after.scoring.rawValue), percent; \(Quantity.duration(seconds: summary.seconds)), \
            per edit \(text(summary.scoringBeforeSeconds)) s to score the unedited model, \(text(summary.editingSeconds)) to edit, \
            \(text(summary.scoringAfterSeconds)) to score the edited one; \(memory.text)

            """
    }

    private static func text(_ drift: Drift, when: String) -> String {
        "\nplain text\(when), \(drift.tokens) tokens: \(String(format: "%.1f", drift.tokensKept)) % of likeliest tokens kept, "
            + "\(String(format: "%.1f", drift.bleed)) % now begin an answer, \(String(format: "%.3f", drift.divergence)) nats of divergence per token, "
            + "perplexity × \(String(format: "%.2f", drift.perplexityRatio))"
    }

    private static func json(_ single: SingleEditSummary) -> JSONValue {
        let edits: [(String, JSONValue)] = [("edits", .integer(single.tally.records.count))], drift = single.drift.map(json) ?? .null
        return .object(JSONObject(edits + members(single.after).members.map { ($0.key, $0.value) } + [("drift", drift)]))
    }

    /// All that a report says.
    private static func members(_ report: ScoreReport) -> JSONObject {
        [
            "scores": report.scores.json, "harmonicMean": .number(report.harmonicMean.value), "intervals": intervals(report),
            "tokenAccuracy": report.tokenAccuracy.json, "exactMatch": report.exactMatch.json, "unchanged": report.unchanged.json,
        ]
    }

    private static func intervals(_ report: ScoreReport) -> JSONValue {
        [
            "scores": report.scores.intervalsJSON, "harmonicMean": report.harmonicMean.intervalJSON, "tokenAccuracy": report.tokenAccuracy.intervalsJSON,
            "exactMatch": report.exactMatch.intervalsJSON, "unchanged": report.unchanged.intervalsJSON,
        ]
    }

    private static func json(_ drift: Drift) -> JSONValue {
        [
            "divergence": .number(drift.divergence), "tokensKept": .number(drift.tokensKept), "perplexityRatio": .number(drift.perplexityRatio),
            "bleed": .number(drift.bleed), "tokens": .integer(drift.tokens),
        ]
    }
}
