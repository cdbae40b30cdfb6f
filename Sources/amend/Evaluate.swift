import ArgumentParser
import Communication
import Configuration
import Evaluation
import Foundation
import Reporting
import Training

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Edit the evaluation set with the trained editor and score it, before and after.")

    @OptionGroup var options: RunOptions

    func run() throws {
        let configuration = try options.load()
        try EditorSetup.check(configuration)
        let status = Communicator.run(exitStatus: ExitStatus.of) { communicator in try evaluate(configuration, communicator) }
        throw ExitCode(status)
    }

    private func evaluate(_ configuration: RunConfiguration, _ communicator: Communicator) throws -> Int32 {
        let context = try RunContext(configuration, communicator)
        context.message("evaluating: \(context.summary)")
        let run = try EvaluationRun(
            configuration, model: context.model, tokenizer: context.tokenizer, communicator: communicator, message: context.message)
        let line = communicator.isRoot ? ProgressLine("editing", total: configuration.evaluation.batches, unit: "batches") : nil
        let summary = try run.run { done, _ in line?.update(done: done) }
        line?.finish()
        let resident = try context.largestResidentBytes(), operations = try communicator.sum(summary.operations)
        if communicator.isRoot { try report(summary, ranks: communicator.size, operations: operations, residentBytes: resident) }
        return 0
    }

    private func report(_ summary: EvaluationSummary, ranks: Int, operations: Double, residentBytes: Int) throws {
        let perEdit = summary.seconds / Double(max(1, summary.edits))
        if options.json {
            let after = summary.after.scores
            return try JSONOutput.write([
                "protocol": .string(summary.scoring.rawValue), "edits": .integer(summary.edits),
                "efficacy": .number(after.efficacy), "generalization": .number(after.generalization), "specificity": .number(after.specificity),
                "before": Self.json(summary.before.scores),
                "tokenAccuracy": ["before": Self.json(summary.before.tokenAccuracy), "after": Self.json(summary.after.tokenAccuracy)],
                "seconds": .number(summary.seconds), "secondsPerEdit": .number(perEdit), "editingSeconds": .number(summary.editingSeconds),
                "ranks": .integer(ranks), "operations": .number(operations), "residentBytes": .integer(residentBytes),
                "checkpoint": .string(summary.checkpoint),
            ])
        }
        var table = TextTable(["", "efficacy", "generalization", "specificity"])
        for (name, scores) in [
            ("before", summary.before.scores), ("after", summary.after.scores), ("token accuracy before", summary.before.tokenAccuracy),
            ("token accuracy after", summary.after.tokenAccuracy),
        ] {
            table.add([name] + [scores.efficacy, scores.generalization, scores.specificity].map { $0.isNaN ? "–" : String(format: "%.1f", $0) })
        }
        print(table.text)
        print("""
            \(summary.edits) edits, protocol \(summary.scoring.rawValue), percent; \(Quantity.duration(seconds: summary.seconds)), \
            \(Quantity.significant(perEdit, digits: 3)) s per edit (editing alone \
            \(Quantity.significant(summary.editingSeconds / Double(max(1, summary.edits)), digits: 3))), at most \(Quantity.bytes(residentBytes)) resident
            """)
    }

    private static func json(_ scores: Scores) -> JSONValue {
        ["efficacy": .number(scores.efficacy), "generalization": .number(scores.generalization), "specificity": .number(scores.specificity)]
    }
}
