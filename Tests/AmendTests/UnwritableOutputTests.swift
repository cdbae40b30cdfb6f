import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// What cannot be written to standard error is lost, and nothing else is; what cannot be written to standard output is an error.
    @Suite struct UnwritableOutputTests {
        private static let batches = 2 * TinyFiles.batchesPerPass

        // MARK: Standard error

        /// A full disk, a stream that was closed (beside others that were), a reader that has gone, a reader that never reads.
        @Test(arguments: [
            "$amend train $run --json 2>/dev/full", "$amend train $run --json 2>&-", "$amend train $run --json <&- 2>&-",
            "{ $amend train $run --json 2>&1 >&3 | true; exit ${PIPESTATUS[0]}; } 3>&1",
            "{ (sleep 0.2; exec $amend train $run --json) 2>&1 >&3 | true; exit ${PIPESTATUS[0]}; } 3>&1",
            // 64 KiB fill a pipe; head reads nothing of it before the end.
            "mkfifo $TMPDIR/pipe; exec 4<>$TMPDIR/pipe; head -c 65536 /dev/zero >&4; exec $amend train $run --json 2>&4",
            "$mpirun -np 2 $amend train $run --json 2>/dev/full", "$mpirun -np 2 $amend train $run --json 2>&-",
        ])
        func theRunGoesOn(command: String) throws {
            let run = try TinyRun(), expected = try TinyRun().train()
            let result = try run.shell(command)
            #expect(result.status == 0, "\(result)")
            let trained = try JSONDecoder().decode(Trained.self, from: Data(result.output.utf8))
            #expect(trained.digest == expected.digest)
            #expect(run.loggedBatches() == Array(1...Self.batches))
        }

        /// The first file that is opened must not take the number of a stream that was closed.
        @Test func nothingIsWrittenIntoOtherFiles() throws {
            let run = try TinyRun()
            let result = try run.shell("$amend train $run editor.meta_learning_rate=1e30 2>&-")
            #expect(result.status == 1 && result.output.isEmpty)
            let files = try #require(FileManager.default.enumerator(at: run.directory, includingPropertiesForKeys: nil))
            for case let file as URL in files {
                let text = String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self)
                #expect(!text.contains("training: llama") && !text.contains("not finite"), "\(file.path)")
            }
        }

        // MARK: Standard output

        /// Each command, for people and for programs: an error that says so, and status 1.
        @Test(
            arguments: [
                "train $run", "evaluate $run", "inspect $TMPDIR/checkpoints", "inspect $TMPDIR/model", "generate --model $TMPDIR/model a",
                "selftest --goldens $TMPDIR/goldens",
            ],
            [">/dev/full", ">&-", "--json >/dev/full", "--json >&-", "| true"])
        func itIsAnError(command: String, redirection: String) throws {
            let run = try TinyRun()
            _ = try run.train()
            if command.hasPrefix("selftest") { try addGoldens(to: run) }
            let result =
                try redirection == "| true"
                ? run.shell("(sleep 0.2; exec $amend \(command)) | true; exit ${PIPESTATUS[0]}") : run.shell("$amend \(command) \(redirection)")
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            let reason = redirection.hasSuffix("full") ? "No space left on device" : redirection == "| true" ? "Broken pipe" : "it is closed"
            let said = result.errorLines.filter { $0.hasPrefix("standard output: cannot be written: \(reason)") }
            #expect(said.count == 1, "\(result.errors)")
            if command.hasPrefix("train") {
                #expect(said.first?.hasSuffix("the checkpoint of batch \(Self.batches) is kept: \(run.file("checkpoints/step-00000008").path)") == true)
            }
            if command.hasPrefix("evaluate") { #expect(result.errors.contains("efficacy"), "the scores are lost: \(result.errors)") }
        }

        @Test(arguments: ["--help", "train --help", "help evaluate", "--generate-completion-script bash"])
        func helpToo(arguments: String) throws {
            let run = try TinyRun()
            #expect(try run.shell("$amend \(arguments)").output.count > 100)
            for redirection in [">/dev/full", ">&-"] {
                let result = try run.shell("$amend \(arguments) \(redirection)")
                #expect(result.status == 1 && result.errors.hasPrefix("standard output: cannot be written: "), "\(result)")
            }
        }

        private func addGoldens(to run: TinyRun) throws {
            let name = "models/llama", target = run.file("goldens/\(name)")
            try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try FileManager.default.copyItem(at: packageRoot.appendingPathComponent("Tests/TransformerTests/Fixtures/llama"), to: target)
        }
    }
}
