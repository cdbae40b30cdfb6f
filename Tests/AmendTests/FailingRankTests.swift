import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// A rank that fails ends the job, with its message and its status, while the others wait for it.
    @Suite struct FailingRankTests {
        private static let limitSeconds = 30.0

        /// mpirun starts rank 1 with another command line.
        private func train(_ run: TinyRun, rank1: [String]) throws -> ProgramResult {
            let arguments = ["train", run.file("run.yaml").path, "--json"], program = try builtProgram("amend").path
            return try withinLimit { try run.run(arguments: arguments + [":", "-np", "1", program] + arguments + rank1, ranks: 1) }
        }

        private func withinLimit(_ body: () throws -> ProgramResult) throws -> ProgramResult {
            let start = Date(), result = try body()
            #expect(Date().timeIntervalSince(start) < Self.limitSeconds, "took \(Date().timeIntervalSince(start)) s to end")
            return result
        }

        @Test func oneWithoutTheModel() throws {
            let run = try TinyRun()
            let result = try train(run, rank1: ["model.path=/nowhere/model"])
            #expect(result.status == 3 && result.output.isEmpty, "\(result)")
            #expect(result.errorLines.count { $0.hasPrefix("rank 1/2: /nowhere/model: ") } == 1, "\(result.errors)")
        }

        @Test func oneWithAnotherConfiguration() throws {
            let run = try TinyRun()
            let result = try train(run, rank1: ["editor.rnak=4"])
            #expect(result.status == 2 && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains("editor.rnak: there is no such key; did you mean 'rank'?"), "\(result.errors)")
        }

        /// Rank 0 alone writes the log; here it finds the disk full after the first batch.
        @Test(arguments: [1, 3]) func oneWithAFullDisk(ranks: Int) throws {
            let run = try TinyRun()
            try FileManager.default.createDirectory(at: run.file("checkpoints"), withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(atPath: run.file("checkpoints/metrics.jsonl").path, withDestinationPath: "/dev/full")
            let result = try withinLimit { try run.amend("train", ranks: ranks) }
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains("metrics.jsonl") && result.errors.contains("No space left on device"), "\(result.errors)")
            #expect(ranks == 1 || result.errors.contains("rank 0/\(ranks): "), "\(result.errors)")
        }

        /// All ranks see the NaN in what they have gathered; the message comes once.
        @Test(arguments: [nil, 3]) func notANumber(ranks: Int?) throws {
            var model = TinyModel()
            model.setEmbedding(of: "~", to: .nan)
            let run = try TinyRun(model: model)
            var records = TinyFiles.records(60, of: "s")
            for index in records.indices { records[index]["prompt"]? += " ~" }
            try writeJSON(records, to: run.file("train.json"))
            let result = try withinLimit { try run.amend("train", ranks: ranks) }
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            let named = result.errorLines.filter { $0.contains("batch 1, model.layers.1.mlp.gate_proj: ") && $0.contains("not finite") }
            #expect(named.count == 1, "\(result.errors)")
            #expect(run.checkpoints().isEmpty)
        }

        /// One record breaks its batch, by its prompt or by its rephrasing: the message names it, whichever rank it is on.
        @Test(arguments: ["prompt", "rephrase_prompt"], [nil, 3]) func oneRecord(key: String, ranks: Int?) throws {
            var model = TinyModel()
            model.setEmbedding(of: "~", to: .nan)
            let run = try TinyRun(model: model)
            var records = TinyFiles.records(7, of: "s")
            records[4][key]? += " ~"
            try writeJSON(records, to: run.file("train.json"))
            let result = try withinLimit { try run.amend("train", ranks: ranks) }
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            let named = result.errorLines.filter { $0.contains("batch 1") && $0.hasSuffix("first for record '5'") }
            #expect(named.count == 1, "\(result.errors)")
        }

        /// What was saved before stays.
        @Test func aNumberThatGrowsTooLarge() throws {
            let run = try TinyRun()
            let result = try withinLimit { try run.amend("train", ranks: 2, ["editor.meta_learning_rate=1e30"]) }
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains("finite"), "\(result.errors)")
            let newest = try #require(run.checkpoints().last, "nothing was saved before: \(result.errors)")
            let inspected = try run.run(arguments: ["inspect", run.file("checkpoints/\(newest)").path])
            #expect(inspected.status == 0, "\(inspected.errors)")
        }
    }
}
