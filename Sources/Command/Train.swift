import Amend
import ArgumentParser
import Communication
import Configuration
import Documents
import Editing
import Foundation
import Machine
import Reporting
import StandardStreams
import TensorCore
import Training

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Meta-train an editor; resumes by itself from the newest checkpoint.",
        discussion: "SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 or Ctrl-C: save after the current batch and exit with status 75.")

    @OptionGroup var options: RunOptions

    @Flag(
        help: """
            Also time OpenBLAS's sgemm after each batch, on the same threads, and print what share of its mean rate the run reached. \
            Takes a tenth more time, two products after each batch at least, which the seconds leave out.
            """)
    var timeSgemm = false

    func run() throws {
        StopSignal.install()
        let configuration = try options.load()
        let status = Communicator.run(exitStatus: ExitStatus.of) { communicator in try train(configuration, communicator) }
        throw ExitCode(status)
    }

    private func train(_ configuration: RunConfiguration, _ communicator: Communicator) throws -> Int32 {
        let context = try RunContext(configuration, communicator)
        context.notes.forEach(context.message)
        context.message("training: \(context.summary)")
        var line: ProgressLine?, startSeconds: Double?
        let beside = try timeSgemm ? SgemmBeside() : nil
        let output = TrainingOutput(
            message: { text in line.map { $0.log(text) } ?? context.message(text) },
            progress: { done, total, loss in
                if startSeconds == nil {  // before the first batch
                    startSeconds = ProcessAge.seconds
                    beside?.start()
                } else {
                    beside?.sample()
                }
                guard communicator.isRoot else { return }
                if let line { line.update(done: done, loss: loss) } else { line = ProgressLine("training", total: total, done: done, unit: "batches") }
            })
        let run = try TrainingRun(validated: context.configuration, model: context.model, tokenizer: context.tokenizer, communicator: communicator, output: output)
        let summary = try run.run { StopSignal.isRequested }
        line?.finish()
        let memory = try context.memory(), operations = try communicator.sum(summary.operations)
        let sgemm = try beside?.rates(communicator)
        if timeSgemm, sgemm == nil { context.message("--time-sgemm: sgemm was not timed, as there was no batch left to train") }
        if communicator.isRoot {
            let text = report(summary, startSeconds: startSeconds, ranks: communicator.size, operations: operations, memory: memory, beside: (beside?.spent ?? 0, sgemm))
            do {
                try StandardOutput.write(text)
            } catch let error as OutputError {
                throw error.adding("the checkpoint of batch \(summary.batches) is kept: \(summary.checkpoint)")
            }
        }
        return summary.isStopped ? ExitStatus.stopped : 0
    }

    private func report(
        _ summary: TrainingSummary, startSeconds: Double?, ranks: Int, operations: Double, memory: RunMemory,
        beside: (spent: Double, sgemm: (mean: Double, best: Double)?)
    ) -> String {
        let sgemm = beside.sgemm
        let seconds = summary.seconds - beside.spent, secondsPerEdit = summary.seconds > 0 ? summary.secondsPerEdit * seconds / summary.seconds : 0
        let shareOfSgemm = sgemm.map { operations / seconds / 1e9 / $0.mean }
        if options.json {
            var object: JSONObject = [
                "checkpoint": .string(summary.checkpoint), "digest": .string(summary.digest), "batches": .integer(summary.batches),
                "edits": .integer(summary.edits), "updates": .integer(summary.updates), "loss": .number(summary.loss),
                "seconds": .number(seconds), "secondsPerEdit": .number(secondsPerEdit),
                "startSeconds": startSeconds.map { .number($0) } ?? .null, "ranks": .integer(ranks),
                "stopped": .bool(summary.isStopped), "operations": .number(operations), "residentBytes": .integer(memory.resident),
                "privateBytes": .integer(memory.owned), "mappedBytes": .integer(memory.mapped),
                "phases": .array(
                    summary.phases.map {
                        [
                            "phase": .string($0.phase.rawValue), "seconds": .number($0.share.seconds), "operations": .number($0.share.operations),
                            "bytes": .number($0.share.bytes),
                        ]
                    }),
            ]
            if let sgemm, let shareOfSgemm {
                object["sgemmGflops"] = .number(sgemm.mean)
                object["sgemmBestGflops"] = .number(sgemm.best)
                object["shareOfSgemm"] = .number(shareOfSgemm)
            }
            return JSONOutput.line(object)
        }
        var text = """
            \(summary.isStopped ? "stopped after" : "trained") \(summary.batches) batches, \(summary.edits) edits, \(summary.updates) updates\
            \(summary.loss.isNaN ? "" : "; mean loss \(Quantity.significant(summary.loss, digits: 5))")
            \(Quantity.duration(seconds: seconds)), \(Quantity.significant(secondsPerEdit, digits: 3)) s per edit, \
            \(ranks) rank\(ranks == 1 ? "" : "s"), \(memory.text)
            \(summary.checkpoint)
            digest \(summary.digest)

            """
        if let sgemm, let shareOfSgemm {
            text += """
                \(Quantity.significant(operations / seconds / 1e9, digits: 3)) GFLOP/s, \(Quantity.percent(shareOfSgemm)) % of OpenBLAS's sgemm between the batches: \
                \(Quantity.significant(sgemm.mean, digits: 3)) GFLOP/s on average, \(Quantity.significant(sgemm.best, digits: 3)) at best

                """
        }
        return text
    }
}
