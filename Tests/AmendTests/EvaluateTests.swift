import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// What an evaluation says beside its scores.
    @Suite struct EvaluateTests {
        private struct Line: Decodable {
            struct Outcome: Decodable {
                let success: Double?, unchanged: Double?
                let tokenAccuracy: Double, exactMatch: Double
            }

            let number: Int, id: String, prompt: String, target: String
            let before: [String: Outcome], after: [String: Outcome]
            let inContext: [String: Outcome]?, single: [String: Outcome]?
        }

        private static let settings = ["editor.inner_learning_rate=3", "evaluation.batches=2", "evaluation.single_edits=3"]

        private func lines(_ file: URL) throws -> [Line] {
            try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }

        /// What is reported is the mean of what the lines say.
        @Test func linesOfRecordsAreWhatScoresAreMeansOf() throws {
            let run = try TinyRun(), file = run.file("records.jsonl")
            _ = try run.train(Self.settings)
            let scores = try run.evaluate(Self.settings + ["--records", file.path]), lines = try lines(file)
            #expect(lines.count == scores.edits && lines.map(\.number) == Array(1...scores.edits) && lines.map { $0.single != nil }.filter(\.self).count == 3)
            func mean(_ values: [Double?]) -> Double {
                let present = values.compactMap(\.self)
                return 100 * present.reduce(0, +) / Double(present.count)
            }
            func expect(_ found: Double, _ values: [Double?], _ what: String) {
                #expect(abs(found - mean(values)) < 1e-9, "\(what): \(found), of the lines \(mean(values))")
            }
            expect(scores.efficacy, lines.map { $0.after["efficacy"]?.success }, "efficacy")
            expect(scores.before.specificity, lines.map { $0.before["specificity"]?.success }, "specificity before")
            expect(scores.exactMatch["after"]?.generalization ?? .nan, lines.map { $0.after["generalization"]?.exactMatch }, "says it in other words")
            expect(scores.unchanged.specificity, lines.map { $0.after["specificity"]?.unchanged }, "unchanged neighbours")
            expect(scores.single?.scores.specificity ?? .nan, lines.map { $0.single?["specificity"]?.success }, "specificity of single edits")
            expect((scores.inContext?.scores["generalization"] ?? nil) ?? .nan, lines.map { $0.inContext?["generalization"]?.success }, "generalization in context")
            expect((scores.inContext?.unchanged["specificity"] ?? nil) ?? .nan, lines.map { $0.inContext?["specificity"]?.unchanged }, "unchanged neighbours in context")
            let interval = try #require(scores.intervals.scores["generalization"])
            #expect(interval.count == 2 && interval[0] <= scores.generalization && scores.generalization <= interval[1])

            let other = run.file("of-ranks.jsonl")
            _ = try run.evaluate(ranks: 3, Self.settings + ["--records", other.path])
            #expect(try Data(contentsOf: other) == Data(contentsOf: file))
            #expect(!FileManager.default.fileExists(atPath: file.path + ".partial"))
        }

        /// Prompts in other words that are edited change the edits, and are neither scored nor trained for.
        @Test func editedPromptsInOtherWordsAreNotScored() throws {
            let run = try TinyRun(), file = run.file("records.jsonl"), edited = Self.settings + ["editor.rephrasings=1"]
            _ = try run.train(Self.settings)
            let plain = try run.evaluate(Self.settings + ["--records", file.path])
            #expect(try lines(file).allSatisfy { $0.after["generalization"] != nil })
            let result = try run.amend("evaluate", edited + ["--json", "--records", file.path])
            #expect(result.status == 0, "\(result)")
            let all = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
            let kept = try #require((all["drift"] as? [String: Any])?["tokensKept"] as? Double)
            #expect(kept != plain.drift.tokensKept && (all["generalization"] ?? NSNull()) is NSNull, "\(kept)")
            #expect(try lines(file).allSatisfy { $0.after["generalization"] == nil && $0.after["efficacy"] != nil && $0.single?["generalization"] == nil })
            let refused = try run.amend("train", edited + ["checkpoint.directory=\(run.file("none").path)"])
            #expect(refused.status == 3 && refused.errors.contains("has no prompt in other words beside those that editor.rephrasings has edited"), "\(refused)")
        }

        /// Refused before there is anything to lose; what was there stays where nothing comes to take its place.
        @Test func linesThatCannotBeWritten() throws {
            let run = try TinyRun(), file = run.file("records.jsonl")
            _ = try run.train(Self.settings)
            let refused = try run.amend("evaluate", Self.settings + ["--records", run.file("no/such/records.jsonl").path])
            #expect(refused.status != 0 && refused.output.isEmpty && refused.errors.contains("records.jsonl.partial: cannot write: No such file"), "\(refused)")
            #expect(!refused.errors.contains("evaluating:"))
            let directory = try run.amend("evaluate", Self.settings + ["--records", run.directory.path])
            #expect(directory.status != 0 && directory.errors.contains("it is a directory"), "\(directory)")
            try Data("mine".utf8).write(to: file)
            let link = run.file("link"), linked = run.file("linked.jsonl")
            try Data("old".utf8).write(to: linked)
            try FileManager.default.createSymbolicLink(at: link, withDestinationURL: linked)
            _ = try run.evaluate(Self.settings + ["--records", link.path])
            #expect(try lines(linked).count > 0 && FileManager.default.destinationOfSymbolicLink(atPath: link.path) == linked.path)
            #expect(try run.amend("evaluate", Self.settings + ["evaluation.batches=99", "--records", file.path]).status != 0)
            #expect(try Data(contentsOf: file) == Data("mine".utf8))
            let piped = try run.shell("$amend evaluate $run \(Self.settings.joined(separator: " ")) --records /dev/stderr --json 2>&1 >/dev/null")
            #expect(piped.status == 0 && piped.output.contains(#""id""#), "\(piped)")
        }

        /// Networks as they were: what training has not moved is as if untrained, and the normalisers know what they have seen.
        @Test func untrainedNetworksAreThoseOfTheBeginning() throws {
            let run = try TinyRun(), frozen = Self.settings + ["evaluation.normalizer=frozen", "evaluation.single_edits=4"]
            _ = try run.train(into: "still", Self.settings + ["editor.meta_learning_rate=1e-30"])
            _ = try run.train(into: "moved", Self.settings + ["editor.meta_learning_rate=0.03"])
            func drift(_ name: String, _ options: [String]) throws -> Evaluated.Drift {
                try run.evaluate(frozen + ["checkpoint.directory=\(run.file(name).path)"] + options).drift
            }
            let still = try drift("still", [])
            #expect(try drift("still", ["--untrained"]) == still && drift("moved", []) != still && drift("moved", ["--untrained"]) != drift("moved", []))
            let none = ["checkpoint.directory=\(run.file("none").path)", "--untrained"]
            #expect(try run.evaluate(Self.settings + none).checkpoint == nil)
            let refused = try run.amend("evaluate", frozen + none)
            #expect(refused.status != 0 && refused.errors.contains("holds no checkpoint; evaluation.normalizer=frozen needs one"), "\(refused)")
        }
    }
}
