import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// `amend generate`: what a model adds to a prompt, before edits and after.
    @Suite struct GenerateTests {
        private struct Output: Decodable {
            struct Continuation: Decodable, Equatable {
                let text: String, stop: String
                let tokens: [Int]
            }
            struct Item: Decodable {
                let prompt: String
                let before: Continuation
                let after: Continuation?
            }
            let edits: Int
            let continuations: [Item]
        }

        private func generate(_ run: TinyRun, _ arguments: [String]) throws -> Output {
            let result = try run.run(arguments: ["generate", "--json", "--drift-bound", "100"] + arguments)
            try #require(result.status == 0 && result.errors.isEmpty, "\(result)")
            return try JSONDecoder().decode(Output.self, from: Data(result.output.utf8))
        }

        @Test func continuesWithTheModel() throws {
            let run = try TinyRun(), model = ["--model", run.file("model").path, "--max-tokens", "6"]
            let greedy = try generate(run, model + ["The color", "of"])
            #expect(greedy.edits == 0 && greedy.continuations.map(\.prompt) == ["The color", "of"])
            for item in greedy.continuations { #expect(item.after == nil && item.before.tokens.count == 6 && item.before.stop == "length") }
            #expect(try generate(run, model + ["The color", "of"]).continuations.map(\.before) == greedy.continuations.map(\.before))

            func drawn(_ arguments: [String]) throws -> [Int] { try generate(run, model + arguments + ["The color"]).continuations[0].before.tokens }
            let hot = ["--temperature", "5"]
            #expect(try drawn(hot + ["--seed", "7"]) == drawn(hot + ["--seed", "7"]))
            #expect(try drawn(hot + ["--seed", "7"]) != drawn(hot + ["--seed", "8"]))
            #expect(try drawn(hot + ["--top-k", "1"]) == greedy.continuations[0].before.tokens, "only the most likely token is left")
            #expect(try drawn(hot + ["--top-p", "1e-9"]) == greedy.continuations[0].before.tokens, "only the most likely token is left")
        }

        /// The editor's checkpoint brings the configuration and the model's place; a checkpoint of many can be named.
        @Test func continuesAfterEdits() throws {
            let run = try TinyRun(), trained = try run.train()
            try writeJSON([["prompt": "The color of x is", "target": "red"], ["prompt": "The color of y is", "target": "blue"]], to: run.file("edits.json"))
            let edits = ["--edits", run.file("edits.json").path, "--max-tokens", "5", "The color of x is"]
            let newest = try generate(run, ["--editor", run.file("checkpoints").path] + edits)
            let after = try #require(newest.continuations[0].after)
            #expect(newest.edits == 2 && after != newest.continuations[0].before, "the edits change nothing")
            let named = try generate(run, ["--editor", trained.checkpoint] + edits)
            #expect(named.continuations[0].after == after)
            let first = try generate(run, ["--editor", trained.checkpoint, "--limit", "1"] + edits)
            #expect(first.edits == 1 && first.continuations[0].before == newest.continuations[0].before)
            let people = try run.run(arguments: ["generate", "--editor", trained.checkpoint] + edits)
            #expect(people.status == 0 && people.output.contains("before  The color of x is") && people.output.contains("after   The color of x is"))
        }

        /// A user's own prompts in other words are edited where that is asked, with an editor that was trained without.
        @Test func editsPromptsInOtherWordsToo() throws {
            let run = try TinyRun(), trained = try run.train(["editor.inner_learning_rate=3"]), file = run.file("edits.json").path
            try Data(#"[{"prompt": "The color of x is", "target": "red", "rephrasings": ["one says that x looks"]}]"#.utf8).write(to: run.file("edits.json"))
            func after(_ options: [String]) throws -> [Int]? {
                let output = try generate(run, ["--editor", trained.checkpoint, "--edits", file, "--max-tokens", "8"] + options + ["one says that x looks"])
                #expect(output.edits == 1)
                return output.continuations[0].after?.tokens
            }
            #expect(try after([]) == after(["--rephrasings", "0"]) && after(["--rephrasings", "1"]) != after([]))
        }

        /// Whichever setting wanted a subject.
        @Test(arguments: [
            ([], "nothing"), (["editor.contrast_weight=10", "editor.contrast_subjects=2"], "editor.contrast_weight does nothing for them"),
            (["editor.positions=subject"], "editor.positions=subject edits them where the answer is predicted"),
        ])
        func saysWhatEditsWithoutASubjectLack(settings: [String], expected: String) throws {
            let run = try TinyRun(), trained = try run.train(settings)
            try writeJSON([["prompt": "the color is", "target": "red"]], to: run.file("edits.json"))
            let result = try run.run(
                arguments: ["generate", "--editor", trained.checkpoint, "--edits", run.file("edits.json").path, "--max-tokens", "2", "--drift-bound", "100", "x"])
            #expect(result.status == 0, "\(result)")
            if settings.isEmpty {
                #expect(result.errors.isEmpty, "\(result)")
            } else {
                #expect(result.errors.contains("1 record of 1 gives no subject, and none can be seen") && result.errors.contains(expected), "\(result)")
            }
        }

        /// What becomes of plain text is said where it is more than it may be.
        @Test func warnsOfEditsThatChangePlainText() throws {
            let run = try TinyRun()
            _ = try run.train(["editor.inner_learning_rate=3"])
            try writeJSON([["prompt": "The color of x is", "target": "red"]], to: run.file("edits.json"))
            func errors(_ options: [String]) throws -> String {
                let edits = ["--editor", run.file("checkpoints").path, "--edits", run.file("edits.json").path, "--max-tokens", "2", "The color of x is"]
                let result = try run.run(arguments: ["generate", "--json"] + options + edits)
                #expect(result.status == 0 && result.output.contains(#""tokensKept""#), "\(result)")
                return result.errors
            }
            #expect(try errors(["--drift-bound", "0"]).contains("the edit changes plain text too: "))
            #expect(try !errors(["--drift-bound", "100"]).contains("plain text"))
        }

        @Test(
            arguments: [
                (["--model", "RUN/nowhere", "x"], 3, "RUN/nowhere: "),
                (["--editor", "RUN/nowhere", "--edits", "RUN/train.json", "--rephrasings", "99", "x"], 2, "--rephrasings is 99; expected 0 to 32"),
                (["--model", "RUN/model", "--rephrasings", "1", "x"], 2, "--rephrasings is of --edits"),
                (["--editor", "RUN/nowhere", "--edits", "RUN/train.json", "x"], 3, "RUN/nowhere: holds no checkpoint"),
                (["--model", "RUN/model", ""], 3, "the prompt ''"),
                (["x"], 2, "Name a model"),
                (["--model", "RUN/model", "--edits", "RUN/train.json", "x"], 2, "belong together"),
                (["--model", "RUN/model", "--max-tokens", "0", "x"], 2, "--max-tokens is 0"),
                (["--model", "RUN/model", "--temperature=-1", "x"], 2, "--temperature"),
                (["--model", "RUN/model", "--top-p", "0", "x"], 2, "--top-p"),
                (["--model", "RUN/model", "--drift-bound", "101", "x"], 2, "--drift-bound is 101"),
                (["--model", "RUN/model"], 2, "prompts"),
            ] as [([String], Int32, String)])
        func saysWhatIsWrong(arguments: [String], status: Int32, expected: String) throws {
            let run = try TinyRun()
            func inRun(_ text: String) -> String { text.replacing("RUN", with: run.directory.path) }
            let result = try run.run(arguments: ["generate"] + arguments.map(inRun))
            #expect(result.status == status && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains(inRun(expected)), "no '\(inRun(expected))' in '\(result.errors)'")
        }
    }
}
