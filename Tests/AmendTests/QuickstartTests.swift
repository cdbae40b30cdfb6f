import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// The configuration of the quickstart with the real model and data, made small: two batches of at most eight edits, then eight together and two alone.
    @Suite struct QuickstartTests {
        @Test func editsTheRealModel() throws {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("amend-\(UUID().uuidString.prefix(8))")
            defer { try? FileManager.default.removeItem(at: directory) }
            let root = packageRoot.path
            let settings = [
                "model.path=\(try SmolLM2.file().path)", "data.train.path=\(root)/Configs/data/world-facts-train.json",
                "data.evaluation.path=\(root)/Configs/data/world-facts-eval.json", "data.batches=2", "training.passes=1",
                "training.validation_edits=0", "evaluation.batches=1", "evaluation.edits_per_batch=8", "evaluation.single_edits=2", "evaluation.drift_passages=8",
                "editor.steps=4", "editor.rank=64", "checkpoint.directory=\(directory.path)",
            ]
            func amend(_ command: String) throws -> ProgramResult {
                let arguments = [command, root + "/Configs/quickstart.yaml", "--json"] + settings
                let result = try mpirun(ranks: 2, program: builtProgram("amend"), arguments: arguments, timeoutSeconds: 300)
                try #require(result.status == 0, "\(result.errors)")
                return result
            }
            let trained = try JSONDecoder().decode(Trained.self, from: Data(try amend("train").output.utf8))
            #expect(trained.batches == 2 && (2...16).contains(trained.edits) && trained.updates == 2 && trained.ranks == 2)
            let loss = try #require(trained.loss)
            #expect(loss > 0 && loss < 20, "mean cross entropy \(loss)")

            let scores = try JSONDecoder().decode(Evaluated.self, from: Data(try amend("evaluate").output.utf8))
            #expect(scores.edits == 8 && scores.ranks == 2 && scores.protocol == "rome")
            #expect(scores.efficacy > scores.before.efficacy, "\(scores)")
            #expect(scores.generalization > scores.before.generalization, "\(scores)")
            let says = try #require(scores.exactMatch["after"]).efficacy, single = try #require(scores.single)
            #expect(says > 50 && single.exactMatch.efficacy >= 50 && scores.drift.tokensKept > 85 && single.drift.tokensKept > 85, "\(scores)")
        }
    }
}
