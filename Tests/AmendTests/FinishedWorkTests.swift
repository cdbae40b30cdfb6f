import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// What was finished when something failed is kept, and named.
    @Suite struct FinishedWorkTests {
        /// A rate at which the first update spoils the network: the batch after it fails, with the checkpoint before it on its way.
        private static let spoiled = ["editor.meta_learning_rate=1e30", "checkpoint.every=3", "training.update_every=3"]

        @Test(arguments: [nil, 1, 2, 3]) func theCheckpointBeforeABatchThatFails(ranks: Int?) throws {
            let run = try TinyRun()
            let result = try run.amend("train", ranks: ranks, Self.spoiled)
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            let kept = run.file("checkpoints/step-00000003").path
            #expect(result.errorLines.count { $0.contains("batch 4") && $0.hasSuffix("; the checkpoint of batch 3 is kept: \(kept)") } == 1, "\(result.errors)")
            #expect(run.checkpoints() == ["step-00000003"] && run.checkpoints(suffix: ".partial").isEmpty)
            #expect(try run.run(arguments: ["inspect", kept]).status == 0)
        }

        /// Rank 0 alone fails, at its log of batches; the checkpoint is that of the run before.
        @Test(arguments: [1, 2]) func aRankThatFailsAlone(ranks: Int) throws {
            let run = try TinyRun()
            _ = try run.train(["training.passes=1"])
            let log = run.file("checkpoints/metrics.jsonl")
            try FileManager.default.removeItem(at: log)
            try FileManager.default.createSymbolicLink(atPath: log.path, withDestinationPath: "/dev/full")
            let result = try run.amend("train", ranks: ranks)
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            let kept = run.file("checkpoints/step-00000004").path
            #expect(result.errors.contains("No space left on device; the checkpoint of batch 4 is kept: \(kept)"), "\(result.errors)")
        }

        /// A file that may grow no further is an error, not a signal, and leaves the checkpoint before.
        @Test func aLaterSaveThatFails() throws {
            let run = try TinyRun()
            _ = try run.train(["training.passes=1"])
            let result = try run.shell("ulimit -f 8; exec $amend train $run --json checkpoint.every=1000")
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            let kept = run.file("checkpoints/step-00000004").path
            #expect(result.errors.contains("File too large; the checkpoint of batch 4 is kept: \(kept)"), "\(result.errors)")
            #expect(run.checkpoints().last == "step-00000004" && run.checkpoints(suffix: ".partial").isEmpty)
        }

        // MARK: The terminal goes

        @Test(arguments: [nil, 2]) func savesAndStopsWhenTheTerminalGoes(ranks: Int?) throws {
            let run = try TinyRun(), settings = ["training.passes=16", "checkpoint.every=1000"]
            let job = Job(training: run, ranks: ranks, settings)
            try job.wait(for: "batch 2") { run.loggedBatches().count >= 2 }
            job.send(SIGHUP, to: "amend")
            let result = try job.result()
            #expect(result.status == 75, "\(result)")
            let stopped = try JSONDecoder().decode(Trained.self, from: Data(result.output.utf8))
            #expect(stopped.batches >= 2 && stopped.batches < 64)
            #expect(run.checkpoints() == [String(format: "step-%08d", stopped.batches)])
        }

        /// nohup: the terminal's end means nothing to this run.
        @Test func goesOnWhereTheSignalIsIgnored() throws {
            let run = try TinyRun()
            let result = try run.shell(
                """
                trap '' HUP
                $amend train $run --json training.passes=16 checkpoint.every=1000 &
                until [ -s $TMPDIR/checkpoints/metrics.jsonl ]; do sleep 0.01; done
                kill -HUP $!
                wait $!
                """)
            #expect(result.status == 0, "\(result)")
            #expect(try JSONDecoder().decode(Trained.self, from: Data(result.output.utf8)).batches == 64)
        }
    }
}
