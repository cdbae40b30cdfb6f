import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// Finding settings in a given time.
    @Suite struct TuneTests {
        private struct Tuned: Decodable {
            struct Trial: Decodable, Equatable {
                let stage: String
                let change: [String: String], settings: [String: String]
                let score: Double, seconds: Double
            }

            struct Training: Decodable {
                let before: Double
                let after: Double?
                let updates: Int
            }

            let configuration: String
            let score: Double, given: Double
            let settings: [String: String]
            let trials: [Trial]
            let training: Training?
            let seconds: Double
            let stopped: Bool
        }

        private static let settings = ["training.validation_edits=8", "editor.inner_learning_rate=0.5"]

        private func tune(_ run: TinyRun, ranks: Int? = nil, into name: String, minutes: Double, _ more: [String] = []) throws -> Tuned {
            let result = try run.amend(
                "tune", ranks: ranks, ["--budget", "\(minutes)", "checkpoint.directory=\(run.file(name).path)"] + Self.settings + more)
            try #require(result.status == 0, "status \(result.status): \(result.errors)")
            return try JSONDecoder().decode(Tuned.self, from: Data(result.output.utf8))
        }

        private func lines(_ run: TinyRun, _ name: String) throws -> Int {
            try String(contentsOf: run.file("\(name)/trials.jsonl"), encoding: .utf8).split(separator: "\n").count
        }

        /// The best of what was tried is what is written, trained, and can be used; the second time nothing is tried again.
        @Test func theBestIsWrittenAndTrained() throws {
            let run = try TinyRun(), few = ["training.validation_edits=4"], tuned = try tune(run, into: "tuned", minutes: 0.5, few), count = try lines(run, "tuned")
            #expect(tuned.trials.count > 3 && tuned.trials.first?.stage == "as given" && tuned.trials.first?.settings == [:])
            #expect(tuned.given == tuned.trials.first?.score && tuned.score >= tuned.given && !tuned.stopped)
            let best = try #require(tuned.trials.first { $0.settings == tuned.settings })
            #expect(best.score == tuned.score)
            // Better ones may be there by less than counts.
            #expect(tuned.trials.allSatisfy { $0.score <= tuned.score + 0.3 * Double(tuned.trials.count) })
            #expect(tuned.trials.dropFirst().allSatisfy { trial in trial.change.allSatisfy { trial.settings[$0.key] == $0.value } })
            let updates = tuned.training?.updates ?? 0
            #expect(updates > 0)
            let text = try String(contentsOfFile: tuned.configuration, encoding: .utf8)
            #expect(text.hasPrefix("# Found by amend tune"))
            let evaluated = try run.run(arguments: ["evaluate", tuned.configuration, "--json"])
            #expect(evaluated.status == 0, "\(evaluated.errors)")
            #expect(evaluated.output.contains("\"checkpoint\": \"\(run.file("tuned/training").path)"))

            let again = try tune(run, into: "tuned", minutes: 0.5, few)
            let known = min(again.trials.count, tuned.trials.count)
            #expect(Array(again.trials.prefix(known)) == Array(tuned.trials.prefix(known)))
            #expect(try lines(run, "tuned") <= count + 1, "the trials were done again")
        }

        /// A search is the same on any number of ranks, as far as its time goes.
        @Test func ranksFindTheSame() throws {
            let run = try TinyRun(), alone = try tune(run, into: "alone", minutes: 0.1), ranks = try tune(run, ranks: 3, into: "ranks", minutes: 0.1)
            let count = min(alone.trials.count, ranks.trials.count)
            #expect(count > 1)
            for (one, other) in zip(alone.trials, ranks.trials) { #expect(one.settings == other.settings && one.score == other.score) }
        }

        @Test func othersFilesStay() throws {
            let run = try TinyRun(), path = run.file("mine.yaml")
            try "# mine\n".write(to: path, atomically: true, encoding: .utf8)
            let result = try run.amend("tune", ["--budget", "0.1", "--output", path.path] + Self.settings)
            #expect(result.status == 3 && result.errors.contains("mine.yaml: is there already and was not written by amend tune"), "\(result.errors)")
            #expect(try String(contentsOf: path, encoding: .utf8) == "# mine\n")
        }

        @Test(arguments: [
            (["--budget", "0"], 2 as Int32, "--budget: expected minutes, more than 0, found 0.0"), (["--budget", "nan"], 2, "found nan"),
            (["training.validation_edits=58"], 3, "has 60 records; to tune takes 58, of which settings are judged, and a batch of data.edits_per_batch = 7"),
        ]) func mistakesAreNamed(arguments: [String], status: Int32, words: String) throws {
            let result = try TinyRun().amend("tune", arguments)
            #expect(result.status == status && result.errors.contains(words), "\(result.status): \(result.errors)")
        }

        /// Methods that are not trained are tuned too, those that hold nothing as well.
        @Test(arguments: ["ultraedit", "mend", "crispedit", "memit"]) func othersAreTuned(method: String) throws {
            let run = try TinyRun()
            let own =
                ["editor.method=\(method)"] + (method == "mend" ? ["editor.mode=batch", "training.update_every=sequence"] : [])
                + (method == "memit" ? ["editor.modules=[model.layers.1.mlp.down_proj]", "editor.value_steps=2"] : [])
            let rate = ["crispedit", "memit"].contains(method) ? ["editor.inner_learning_rate=null"] : []
            let nothing = method == "mend" ? [] : ["editor.rank=null", "editor.blocks=null", "editor.meta_learning_rate=null"]
            let tuned = try tune(run, into: method, minutes: 0.15, own + nothing + rate)
            #expect(tuned.trials.count > 2 && (tuned.training == nil) == (method != "mend"))
            // The last layer's, which MEMIT cannot edit, are no candidates, and no end of the search.
            #expect(method != "memit" || !tuned.trials.contains { $0.settings["editor.modules"]?.contains(".3-3.") ?? false })
            #expect(tuned.trials.allSatisfy { ($0.settings["editor.contrast_weight"] == nil) || method == "ultraedit" })
            // How far it comes in so little time depends on the machine.
            let ofLoops: Set = ["editor.modules", "editor.learning_rate", "editor.mini_batch", "editor.curvature_share"],
                tried = Set(tuned.trials.flatMap(\.settings.keys))
            #expect(method != "crispedit" || tried.contains("editor.modules") && tried.isSubset(of: ofLoops), "\(tried)")
        }
    }
}
