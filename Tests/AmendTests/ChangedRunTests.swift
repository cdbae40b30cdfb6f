import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// A run goes on only as what it began as; more of the same is fine.
    @Suite struct ChangedRunTests {
        @Test(arguments: [
            ("editor.rank=4", "editor.rank: 8 there, 4 here"), ("run.seed=6", "run.seed: 5 there, 6 here"),
            ("training.update_every=sequence", "training.update_every: 3 there, sequence here"),
            ("run.shards=7", "run.shards: 5 there, 7 here"), ("editor.modules=[model.layers.3.mlp.up_proj]", "editor.modules"),
        ])
        func refusesAnotherConfiguration(setting: String, expected: String) throws {
            let run = try TinyRun()
            _ = try run.train()
            let result = try run.amend("train", [setting])
            #expect(result.status == 2 && result.output.isEmpty)
            let problem = try #require(result.problems.first, "\(result.errors)")
            #expect(result.problems.count == 1 && problem.contains(expected) && problem.hasPrefix("checkpoint.directory: "), "\(result.errors)")
            #expect(run.loggedBatches() == Array(1...8), "the log was changed")
        }

        /// The default says nothing in what a run recorded, and is a difference all the same.
        @Test func refusesToGoBackToTheDefaultArithmetic() throws {
            let run = try TinyRun()
            _ = try run.train(["run.compute=bf16"])
            let result = try run.amend("train", ["training.passes=3"])
            #expect(result.status == 2 && result.errors.contains("run.compute: bf16 there, f32 here"), "\(result.status): \(result.errors)")
        }

        @Test func refusesAnotherModel() throws {
            let run = try TinyRun()
            _ = try run.train()
            try TinyModel(seed: 2).write(to: run.file("model"))
            for command in ["train", "evaluate"] {
                let result = try run.amend(command)
                #expect(result.status == 3 && result.output.isEmpty)
                #expect(result.problems.count == 1 && result.errors.contains("another model"), "\(command): \(result.errors)")
            }
        }

        @Test func refusesOtherData() throws {
            let run = try TinyRun()
            _ = try run.train()
            var records = TinyFiles.records(60, of: "s")
            records[59]["target_new"] = "yellow"
            try writeJSON(records, to: run.file("train.json"))
            let result = try run.amend("train", ranks: 2)
            #expect(result.status == 3 && result.output.isEmpty)
            #expect(result.errors.contains("other records") && result.errors.contains("train.json"), "\(result.errors)")
        }

        /// More passes, other intervals, another number of ranks or threads, evaluation: none of them changes what is trained.
        @Test func goesOnWithMorePasses() throws {
            let run = try TinyRun()
            _ = try run.train()
            let longer = try run.train(ranks: 2, ["training.passes=3", "checkpoint.every=2", "run.threads=2", "evaluation.batches=1"])
            #expect(longer.batches == 12)
            #expect(try run.train(into: "afresh", ["training.passes=3"]).digest == longer.digest)
            #expect(run.loggedBatches() == Array(1...12))
        }
    }
}

extension ProgramResult {
    /// The lines on standard error that say what is wrong: all but those that say what began.
    var problems: [String] {
        errorLines.filter { line in !["training: ", "evaluating: ", "resuming "].contains { line.hasPrefix($0) } }
    }
}
