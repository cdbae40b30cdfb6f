import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// A run that is interrupted, however and whenever, ends with the bits of one that is not.
    @Suite struct InterruptionTests {
        /// Long enough to be interrupted on a fast machine: 64 batches.
        private static let long = ["training.passes=16"]
        private static let lastBatch = 16 * TinyFiles.batchesPerPass

        enum Moment: Sendable {
            case afterBatch(Int)
            case whileSaving
        }

        // MARK: Killed

        @Test(
            arguments: [
                (.afterBatch(1), nil), (.afterBatch(2), 1), (.afterBatch(3), 2), (.afterBatch(9), 4), (.whileSaving, 2),
            ] as [(Moment, Int?)])
        func resumesAfterKill(moment: Moment, ranks: Int?) throws {
            let run = try TinyRun()
            let expected = try run.train(into: "uninterrupted", Self.long)

            let job = Job(training: run, ranks: 3, Self.long)
            try wait(for: moment, job, run)
            job.kill()
            #expect(try job.result().status != 0)
            #expect(run.loggedBatches().count < Self.lastBatch, "killed too late to prove anything")
            if case .whileSaving = moment { #expect(run.checkpoints(suffix: ".partial").count == 1) }

            let resumed = try run.train(ranks: ranks, Self.long)
            #expect(resumed.digest == expected.digest)
            #expect(resumed.batches == expected.batches && resumed.edits == expected.edits && resumed.updates == expected.updates)
            #expect(resumed.loss == expected.loss)
            #expect(run.loggedBatches() == Array(1...Self.lastBatch))
            #expect(run.checkpoints(suffix: ".partial").isEmpty)
        }

        private func wait(for moment: Moment, _ job: Job, _ run: TinyRun) throws {
            switch moment {
            case .afterBatch(let batch):
                try job.wait(for: "batch \(batch)") { run.loggedBatches().count >= batch }
            case .whileSaving:
                // With the ranks halted, what is seen being written stays so.
                try job.wait(for: "a checkpoint was seen being written") {
                    guard !run.checkpoints(suffix: ".partial").isEmpty, run.checkpoints().count > 1 else { return false }
                    job.send(SIGSTOP, to: "amend")
                    if !run.checkpoints(suffix: ".partial").isEmpty { return true }
                    job.send(SIGCONT, to: "amend")
                    return false
                }
            }
        }

        /// Again and again, on any number of ranks: what one part of the run leaves is enough for the next.
        @Test func getsThereInPieces() throws {
            let run = try TinyRun()
            let expected = try run.train(into: "uninterrupted", Self.long)
            for (part, ranks) in [2, 4, 1, 3].enumerated() {
                let job = Job(training: run, ranks: ranks, Self.long)
                try job.wait(for: "batch \(4 * part + 3)") { run.loggedBatches().count >= 4 * part + 3 }
                job.kill()
                _ = try job.result()
            }
            #expect(try run.train(Self.long).digest == expected.digest)
            #expect(run.loggedBatches() == Array(1...Self.lastBatch))
        }

        // MARK: Asked to stop

        @Test(arguments: [(SIGTERM, nil), (SIGUSR1, nil), (SIGUSR1, 2), (SIGUSR1, 3)] as [(Int32, Int?)])
        func savesAndStops(signal: Int32, ranks: Int?) throws {
            let run = try TinyRun()
            // A checkpoint only at the end, unless asked to stop.
            let settings = Self.long + ["checkpoint.every=1000"]
            let expected = try run.train(into: "uninterrupted", settings)
            #expect(run.checkpoints("uninterrupted").count == 1)

            let job = Job(training: run, ranks: ranks, settings)
            try job.wait(for: "batch 2") { run.loggedBatches().count >= 2 }
            job.send(signal, to: ranks == nil ? "amend" : "mpirun")
            let result = try job.result()
            #expect(result.status == 75, "\(result.errors)")
            let stopped = try JSONDecoder().decode(Trained.self, from: Data(result.output.utf8))
            #expect(stopped.batches >= 2 && stopped.batches < Self.lastBatch)
            #expect(run.loggedBatches() == Array(1...stopped.batches))
            #expect(stopped.checkpoint.hasSuffix(String(format: "/step-%08d", stopped.batches)))
            #expect(run.checkpoints() == [String(format: "step-%08d", stopped.batches)])

            let resumed = try run.train(ranks: ranks == nil ? 2 : nil, settings)
            #expect(resumed.digest == expected.digest)
            #expect(run.loggedBatches() == Array(1...Self.lastBatch))
        }

        /// mpirun passes SIGTERM on and kills what is still there a second later: the ranks may save or not.
        @Test func resumesAfterTheLauncherWasTerminated() throws {
            let run = try TinyRun()
            let expected = try run.train(into: "uninterrupted", Self.long)
            let job = Job(training: run, ranks: 2, Self.long)
            try job.wait(for: "batch 2") { run.loggedBatches().count >= 2 }
            job.send(SIGTERM, to: "mpirun")
            #expect(try job.result().status != 0)
            #expect(run.loggedBatches().count < Self.lastBatch)
            #expect(try run.train(ranks: 3, Self.long).digest == expected.digest)
            #expect(run.loggedBatches() == Array(1...Self.lastBatch))
        }

        // MARK: Finished already

        @Test func leavesAFinishedRunAlone() throws {
            let run = try TinyRun()
            let first = try run.train(), again = try run.train(ranks: 2)
            #expect(again.digest == first.digest && again.batches == first.batches && again.loss == first.loss)
            #expect(run.loggedBatches() == Array(1...first.batches))
        }
    }
}
