import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// Records that are held out of training, and what they say of the editor.
    @Suite struct ValidationTests {
        private static let settings = [
            "training.validation_edits=8", "training.validate_every=1", "training.update_every=1", "editor.meta_learning_rate=0.1", "checkpoint.keep=1",
        ]

        private struct Line: Decodable {
            struct Validation: Decodable, Equatable {
                struct Part: Decodable, Equatable { let score: Double }
                let score: Double
                let sequence: Part?, single: Part?
            }

            let batch: Int
            let updates: Int
            let validation: Validation?
        }

        private func lines(_ run: TinyRun, _ name: String) throws -> [Line] {
            let text = try String(contentsOf: run.file("\(name)/metrics.jsonl"), encoding: .utf8)
            return try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }

        private func validations(_ run: TinyRun, _ name: String) throws -> [Line] { try lines(run, name).filter { $0.validation != nil } }

        @Test func curveIsTheSameOnRanksAndResumed() throws {
            let run = try TinyRun()
            let alone = try run.train(into: "alone", Self.settings), curve = try validations(run, "alone")
            #expect(curve.map(\.updates) == Array(0...8) && curve.map(\.batch) == Array(0...8) && Set(curve.compactMap(\.validation?.score)).count > 1)
            #expect(curve.allSatisfy { line in line.validation.map { $0.score == (($0.sequence?.score ?? 0) + ($0.single?.score ?? 0)) / 2 } == true })
            #expect(try run.train(ranks: 3, into: "ranks", Self.settings).digest == alone.digest)
            #expect(try validations(run, "ranks").map(\.validation) == curve.map(\.validation))
            #expect(try run.train(ranks: 2, into: "resumed", Self.settings + ["training.passes=1"]).batches == 4)
            #expect(try run.train(into: "resumed", Self.settings).digest == alone.digest)
            #expect(try validations(run, "resumed").map(\.validation) == curve.map(\.validation))
        }

        /// An editor with which edits cannot be made is the worst there can be, and no reason to stop.
        @Test func brokenEditorsAreSaidToBe() throws {
            let run = try TinyRun(), settings = Self.settings + ["editor.scalar_learning_rate=1000"]
            let result = try run.amend("train", ranks: 3, settings)
            #expect(result.errors.contains("not positive definite") || result.errors.contains("not finite"), "\(result.errors)")
            #expect(try validations(run, "checkpoints").contains { $0.validation?.score == 0 })
        }

        /// The average is validated and used, and goes on where it was, on any number of ranks.
        @Test func averagesAreWhatIsUsed() throws {
            let run = try TinyRun(), unaveraged = Self.settings + ["checkpoint.keep_best=false"], settings = unaveraged + ["training.averaging=0.9"]
            let plain = try run.train(into: "plain", unaveraged), alone = try run.train(into: "alone", settings), curve = try validations(run, "alone")
            #expect(plain.loss == alone.loss && plain.digest != alone.digest)
            #expect(try validations(run, "plain").map(\.validation) != curve.map(\.validation))
            #expect(try run.train(ranks: 2, into: "resumed", settings + ["training.passes=1"]).batches == 4)
            #expect(try run.train(ranks: 3, into: "resumed", settings).digest == alone.digest)
            #expect(try validations(run, "resumed").map(\.validation) == curve.map(\.validation))
            func drift(_ name: String) throws -> Evaluated.Drift {
                try run.evaluate(["checkpoint.directory=\(run.file(name).path)"]).drift
            }
            #expect(try drift("alone") != drift("plain") && drift("alone") == drift("resumed"))
            let other = try run.amend("train", Self.settings + ["training.averaging=0.8", "checkpoint.directory=\(run.file("alone").path)"])
            #expect(other.status == 2 && other.errors.contains("training.averaging: 0.9 there, 0.8 here"), "\(other)")
        }

        /// Looking changes nothing.
        @Test func trainsAsWithoutLooking() throws {
            let run = try TinyRun()
            let looked = try run.train(into: "looked", Self.settings), not = try run.train(into: "not", Self.settings + ["training.validate_every=1000"])
            #expect(looked.loss == not.loss && looked.updates == not.updates)
            #expect(try run.train(into: "all", Self.settings + ["training.validation_edits=0"]).loss != looked.loss, "nothing was held out")
        }

        @Test func theBestStaysAndIsTheOneThatIsUsed() throws {
            let run = try TinyRun()
            let settings = Self.settings + ["editor.meta_learning_rate=0.05", "editor.inner_learning_rate=0.3"]
            _ = try run.train(settings)
            let all = try validations(run, "checkpoints"), curve = all.dropFirst()
            let scores = curve.compactMap(\.validation?.score), best = try #require(scores.firstIndex(of: scores.max() ?? 0)) + 1
            try #require(best < 8 && scores[best - 1] > all[0].validation?.score ?? 100, "the last or the untrained is the best: \(scores)")
            let names = [best, 8].map { "step-" + String(repeating: "0", count: 7) + "\($0)" }
            #expect(run.checkpoints() == names)
            let evaluated = try run.evaluate(settings)
            #expect(evaluated.checkpoint?.hasSuffix(names[0]) == true && !evaluated.untrained)
            let newest = try run.evaluate(settings + ["checkpoint.directory=\(run.file("checkpoints/" + names[1]).path)"])
            #expect(newest.checkpoint?.hasSuffix(names[1]) == true && newest.after != evaluated.after)
        }

        /// Where training makes an editor worse than it was, what is used is what it was.
        @Test func networksAreAsTheyWereWhereNoneAreBetter() throws {
            let run = try TinyRun(), settings = Self.settings + ["editor.scalar_learning_rate=1000"]
            let trained = try run.amend("train", settings)
            #expect(trained.errors.contains("the editor is worse than before training") && !trained.errors.contains("the best so far"), "\(trained.errors)")
            let scores = try validations(run, "checkpoints").compactMap(\.validation?.score)
            try #require(scores.count > 1 && scores.dropFirst().allSatisfy { $0 < scores[0] }, "\(scores)")
            let used = try run.amend("evaluate", settings), asked = try run.evaluate(settings + ["--untrained"])
            #expect(used.status == 0 && used.errors.contains("training has made no better editor than it began with"), "\(used)")
            let scored = try JSONDecoder().decode(Evaluated.self, from: Data(used.output.utf8))
            #expect(scored.untrained && scored.after == asked.after && scored.drift == asked.drift && asked.untrained)
            try Data(#"[{"prompt": "The color of x is", "target": "red"}]"#.utf8).write(to: run.file("edits.json"))
            let generated = try run.run(arguments: ["generate", "--editor", run.file("checkpoints").path, "--edits", run.file("edits.json").path, "x"])
            #expect(generated.status == 0 && generated.errors.contains("no better editor"), "\(generated)")
        }

        @Test func endsWhereItDoesNotGetBetter() throws {
            let run = try TinyRun(), settings = Self.settings + ["editor.meta_learning_rate=0.3", "training.passes=50", "training.patience=3"]
            let trained = try run.train(settings)
            let scores = try validations(run, "checkpoints").compactMap(\.validation?.score)
            // The first is that of the untrained networks.
            let best = try #require(scores.dropFirst().max().flatMap { scores.dropFirst().firstIndex(of: $0) })
            #expect(trained.batches < 200 && scores.count - 1 - best == 3, "\(scores)")
            #expect(try run.train(settings).digest == trained.digest, "ended, it does not go on")
        }

        @Test func patienceNeedsSomethingToWaitFor() throws {
            let run = try TinyRun(), result = try run.amend("train", ["training.patience=3"])
            #expect(result.status != 0 && result.errors.contains("training.patience: nothing is validated; expected training.validation_edits"))
        }

        @Test(arguments: ["neighbor_weight", "bleed_weight"]) func termsNeedPromptsToCount(weight: String) throws {
            let run = try TinyRun()
            let records = TinyFiles.records(20, of: "s").map { $0.filter { !$0.key.hasPrefix("locality") } }
            try JSONSerialization.data(withJSONObject: records).write(to: run.file("alone.json"))
            let result = try run.amend("train", ["data.train.path=\(run.file("alone.json").path)", "data.train.format=edits", "training.\(weight)=1"])
            #expect(result.status == 3 && result.errors.contains("no record with a prompt that the edit should leave alone; training.\(weight) counts them"))
        }

        /// Said, not refused: recipes may have what one run does without.
        @Test func termsThatCountNothingAreSaid() throws {
            let run = try TinyRun()
            func said(_ settings: String...) throws -> String {
                try run.amend("train", ["training.passes=1", "checkpoint.directory=\(run.file(settings[0]).path)"] + settings).errors
            }
            let bound = try said("training.text_bound=0.1", "training.bleed_bound=0.1", "training.bleed_weight=1")
            #expect(bound.contains("training.text_bound: without training.text_weight nothing is counted, and no bound matters"), "\(bound)")
            let untrained = try said(
                "training.edit_weight=1", "editor.method=ultraedit", "editor.rank=null", "editor.blocks=null", "editor.meta_learning_rate=null", "training.text_weight=2")
            #expect(untrained.contains("training.text_weight, edit_weight: nothing is learned with editor.method ultraedit"), "\(untrained)")
            #expect(try !said("training.text_weight=1", "training.text_bound=0.1").contains("training.text_bound"))
        }

        @Test func oldAnswersMustBeKnown() throws {
            let run = try TinyRun()
            let records = TinyFiles.records(20, of: "s").map { $0.filter { !$0.key.hasPrefix("ground_truth") } }
            try JSONSerialization.data(withJSONObject: records).write(to: run.file("alone.json"))
            let result = try run.amend("train", ["data.train.path=\(run.file("alone.json").path)", "data.train.format=edits", "training.old_answer_weight=1"])
            #expect(
                result.status == 3 && result.errors.contains("no record with an answer from before the edit to compare with; training.old_answer_weight counts"),
                "\(result)")
        }

        @Test func someRecordsMustBeLeft() throws {
            let run = try TinyRun(), result = try run.amend("train", ["training.validation_edits=55"])
            #expect(result.status == 3 && result.errors.contains("has 60 records; data.edits_per_batch is 7, and training.validation_edits"))
        }
    }
}
