import ArgumentParser
import Communication
import Configuration
import Foundation
import Machine
import Reporting
import Training

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Meta-train an editor; resumes by itself from the newest checkpoint.",
        discussion: "SIGTERM, SIGUSR1, SIGUSR2 or Ctrl-C: save after the current batch and exit with status 75.")

    @OptionGroup var options: RunOptions

    func run() throws {
        let configuration = try options.load()
        try EditorSetup.check(configuration)
        StopSignal.install()
        let status = Communicator.run(exitStatus: ExitStatus.of) { communicator in try train(configuration, communicator) }
        throw ExitCode(status)
    }

    private func train(_ configuration: RunConfiguration, _ communicator: Communicator) throws -> Int32 {
        let context = try RunContext(configuration, communicator)
        context.message("training: \(context.summary)")
        var line: ProgressLine?, startSeconds: Double?
        let output = TrainingOutput(
            message: { text in line.map { $0.log(text) } ?? context.message(text) },
            progress: { done, total, loss in
                if loss == nil { startSeconds = ProcessAge.seconds }  // before the first batch
                guard communicator.isRoot else { return }
                if let line { line.update(done: done, loss: loss) } else { line = ProgressLine("training", total: total, done: done, unit: "batches") }
            })
        let run = try TrainingRun(configuration, model: context.model, tokenizer: context.tokenizer, communicator: communicator, output: output)
        let summary = try run.run { StopSignal.isRequested }
        line?.finish()
        let memory = try context.memory(), operations = try communicator.sum(summary.operations)
        if communicator.isRoot { try report(summary, startSeconds: startSeconds, ranks: communicator.size, operations: operations, memory: memory) }
        return summary.isStopped ? ExitStatus.stopped : 0
    }

    private func report(_ summary: TrainingSummary, startSeconds: Double?, ranks: Int, operations: Double, memory: RunMemory) throws {
        if options.json {
            return try JSONOutput.write([
                "checkpoint": .string(summary.checkpoint), "digest": .string(summary.digest), "batches": .integer(summary.batches),
                "edits": .integer(summary.edits), "updates": .integer(summary.updates), "loss": .number(summary.loss),
                "seconds": .number(summary.seconds), "secondsPerEdit": .number(summary.secondsPerEdit),
                "startSeconds": startSeconds.map { .number($0) } ?? .null, "ranks": .integer(ranks),
                "stopped": .bool(summary.isStopped), "operations": .number(operations), "residentBytes": .integer(memory.resident),
                "privateBytes": .integer(memory.owned), "mappedBytes": .integer(memory.mapped),
                "phases": .array(summary.phases.map {
                    ["phase": .string($0.phase.rawValue), "seconds": .number($0.share.seconds), "operations": .number($0.share.operations),
                     "bytes": .number($0.share.bytes)]
                }),
            ])
        }
        print("""
            \(summary.isStopped ? "stopped after" : "trained") \(summary.batches) batches, \(summary.edits) edits, \(summary.updates) updates; mean loss \
            \(Quantity.significant(summary.loss, digits: 5))
            \(Quantity.duration(seconds: summary.seconds)), \(Quantity.significant(summary.secondsPerEdit, digits: 3)) s per edit, \
            \(ranks) rank\(ranks == 1 ? "" : "s"), \(memory.text)
            \(summary.checkpoint)
            digest \(summary.digest)
            """)
    }
}
