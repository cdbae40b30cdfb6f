import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// A user's own edits in `amend generate` and what is said of data: what is accepted, refused, and noted.
    @Suite struct OwnEditsTests {
        /// Generates after the edits in a file with this text, on a trained run of seven edits a batch.
        private func generate(_ edits: String, _ run: TinyRun, _ arguments: [String] = []) throws -> ProgramResult {
            try Data(edits.utf8).write(to: run.file("edits.json"))
            return try run.run(
                arguments: [
                    "generate", "--json", "--editor", run.file("checkpoints").path, "--edits", run.file("edits.json").path,
                    "--max-tokens", "5",
                ] + arguments + ["The color of x is"])
        }

        @Test func formsOfOneEditAreOneEdit() throws {
            let run = try TinyRun()
            _ = try run.train(["training.passes=1"])
            let plain = try generate(#"[{"prompt": "The color of x is", "target": "red"}]"#, run)
            try #require(plain.status == 0 && plain.errors.isEmpty, "\(plain)")
            for form in [
                #"{"prompt": "The color of {} is", "subject": "x", "target": "red"}"#,
                #"{"prompt": "The color of {} is", "subject": "x", "target_new": " red", "ground_truth": "blue"}"#,
                #"{"prompt": "The color of x is ", "subject": "x", "target_new": {"str": "red"}, "rephrase_prompt": "{} has color", "locality_prompt": "t is", "locality_ground_truth": "blue"}"#,
                #"{"requested_rewrite": {"prompt": "The color of {} is", "subject": "x", "target_new": {"str": "red"}}}"#,
                #"{"src": "The color of {} is", "subject": "x", "alt": "red"}"#,
            ] {
                let result = try generate(form, run)
                #expect(result.status == 0 && result.errors.isEmpty && result.output == plain.output, "\(form): \(result)")
            }
        }

        @Test func refusesBeforeTheModelIsLoaded() throws {
            let run = try TinyRun()
            _ = try run.train(["training.passes=1"])
            try FileManager.default.removeItem(at: run.file("model"))
            for (edits, expected) in [
                (#"[{"prompt": "a", "target": "b"}, {"prompt": "{} is", "target": "t"}]"#, ", record 2 (line 1): 'prompt' has a {} for a subject"),
                (
                    #"[{"prompt": "a is", "target": "t"}, {"prompt": "b is", "target": "t"}, {"id": "c", "prompt": "a is", "target": "u"}]"#,
                    ", record 'c' (number 3), 'a is': is to give 'u', but record '1' gives the same prompt the target 't', and both are in one batch"
                ),
            ] {
                let result = try generate(edits, run)
                #expect(result.status == 3 && result.output.isEmpty && result.problems.count == 1, "\(result)")
                #expect(result.problems.first?.hasPrefix(run.file("edits.json").path + expected) == true, "\(result.errors)")
            }
        }

        @Test func saysWhichEditIsTooLong() throws {
            let run = try TinyRun()
            _ = try run.train(["training.passes=1"])
            let result = try generate(
                """
                {"prompt": "a", "target": "b"}
                {"prompt": "\(String(repeating: "x", count: 300))", "target": "b"}
                """, run)
            #expect(result.status == 3 && result.output.isEmpty, "\(result)")
            #expect(
                result.errors.hasPrefix("\(run.file("edits.json").path), record '2', '\(String(repeating: "x", count: 40))…': has a sequence of 302 tokens; at most 128"),
                "\(result.errors)")
        }

        @Test func saysThatEditsAreRepeated() throws {
            let run = try TinyRun()
            _ = try run.train(["training.passes=1"])
            let edits = ["a", "b", "b", "c", "d", "e", "f", "a"].enumerated().map { index, name in
                #"{"prompt": "The color of \#(name) is", "target": "\#(index == 7 ? "blue" : "red")"}"#
            }
            let result = try generate(edits.joined(separator: "\n"), run)
            #expect(result.status == 0 && result.errorLines.count == 2, "\(result)")
            #expect(result.errorLines.first?.hasSuffix("edits.json: record '3' repeats record '2': the same edit more than once") == true)
            #expect(result.errorLines.last?.contains("record '8' gives 'blue' where record '1' gave 'red': of edits with one prompt the later batch") == true)
            let limited = try generate(edits.joined(separator: "\n"), run, ["--limit", "2"])
            #expect(limited.status == 0 && limited.errors.isEmpty, "\(limited)")
        }

        /// What a model's files contradict each other in is said once by every command that loads the tokenizer.
        @Test func saysWhatTheTokenizersFilesContradict() throws {
            let run = try TinyRun(), note = "\(run.file("model/tokenizer_config.json").path): add_bos_token is true, but the post-processor of tokenizer.json"
            try writeJSON(["add_bos_token": true, "bos_token": "<|endoftext|>"], to: run.file("model/tokenizer_config.json"))
            for result in [
                try run.amend("train", ranks: 2, ["training.passes=1"]), try run.amend("evaluate"),
                try run.run(arguments: ["generate", "--model", run.file("model").path, "--max-tokens", "1", "x"]),
            ] {
                #expect(result.status == 0 && result.errorLines.filter { $0.hasPrefix(note) }.count == 1, "\(result)")
            }
        }

        /// Of a data set it is said once, by one rank, and training goes on.
        @Test func saysThatADataSetRepeatsPrompts() throws {
            let run = try TinyRun()
            var records = TinyFiles.records(60, of: "s")
            records[10]["prompt"] = records[3]["prompt"]
            records[20] = records[3]
            try writeJSON(records, to: run.file("train.json"))
            let result = try run.amend("train", ranks: 2, ["training.passes=1"])
            #expect(result.status == 0, "\(result)")
            let notes = result.errorLines.filter { $0.contains("the prompt of an earlier one") }
            #expect(notes.count == 1 && notes[0].contains("train.json: 2 of 60 records have the prompt of an earlier one"), "\(result.errors)")
            #expect(notes.first?.hasSuffix("record '11' that of record '4'; record '21' that of record '11'") == true, "\(notes)")
        }
    }
}
