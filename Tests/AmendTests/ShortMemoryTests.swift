import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// Too little memory or stack: success, or one line and status 1. Never a signal, a backtrace or a run that spins.
    @Suite struct ShortMemoryTests {
        /// From where the dynamic loader has room to where the run has: in kilobytes.
        private static let limits = Array(stride(from: 130_000, through: 430_000, by: 5_000))

        /// The run goes on from an earlier one, whose checkpoint every failure that comes after reading it names.
        @Test func everyLimitOfAddressSpace() throws {
            let run = try TinyRun(), expected = try TinyRun().train()
            _ = try run.train(into: "before", ["training.passes=1"])
            var succeeded = 0, refused = 0, kept = 0
            for limit in Self.limits {
                let directory = "$TMPDIR/\(limit)"
                let result = try run.shell(
                    "cp -r $TMPDIR/before \(directory); ulimit -v \(limit); exec $amend train $run --json checkpoint.directory=\(directory) run.threads=2",
                    timeoutSeconds: 30)
                if result.errors.contains("error while loading shared libraries") { continue }  // before any of our code
                if result.status == 0 {
                    succeeded += 1
                    #expect(try JSONDecoder().decode(Trained.self, from: Data(result.output.utf8)).digest == expected.digest)
                } else {
                    refused += 1
                    #expect(isOneLine(result), "at \(limit): \(result)")
                    guard result.errors.contains("out of memory in batch") else { continue }
                    kept += 1
                    #expect(result.errors.contains("the checkpoint of batch ") && result.errors.contains(" is kept: "), "at \(limit): \(result)")
                }
            }
            #expect(succeeded > 0 && refused > 0 && kept > 0, "\(succeeded) limits were enough, \(refused) were not, \(kept) of these in a batch")
        }

        @Test(arguments: [200_000, 280_000, 400_000]) func oneRankOfTwo(limit: Int) throws {
            let run = try TinyRun()
            let command = "$amend train $run --json"
            let result = try run.shell("exec $mpirun -np 1 \(command) : -np 1 bash -c 'ulimit -v \(limit); exec \(command)'", timeoutSeconds: 60)
            let lines = result.errorLines.filter { $0.contains("out of memory") }
            #expect(result.status == 1 && lines.count == 1 && lines[0].hasPrefix("rank 1/2: "), "\(result)")
        }

        /// Kilobytes of stack, for the main thread and all others.
        @Test(arguments: [128, 512]) func smallStacks(limit: Int) throws {
            let run = try TinyRun(), expected = try TinyRun().train()
            let result = try run.shell("ulimit -s \(limit); exec $amend train $run --json run.threads=2")
            #expect(result.status == 0, "\(result)")
            #expect(try JSONDecoder().decode(Trained.self, from: Data(result.output.utf8)).digest == expected.digest)
            for command in ["evaluate $run", "inspect $TMPDIR/checkpoints", "generate --model $TMPDIR/model a", "doctor"] {
                #expect(try run.shell("ulimit -s \(limit); exec $amend \(command)").status == 0, "\(command)")
            }
            #expect(try run.shell("exec $mpirun -np 2 bash -c 'ulimit -s \(limit); exec $amend train $run checkpoint.directory=$TMPDIR/two'").status == 0)
        }

        private func isOneLine(_ result: ProgramResult) -> Bool {
            let said = result.errorLines.filter { !$0.hasPrefix("training") && !$0.hasPrefix("resuming") }
            return result.status == 1 && result.output.isEmpty && said.count == 1 && said[0].contains("out of memory")
        }
    }
}
