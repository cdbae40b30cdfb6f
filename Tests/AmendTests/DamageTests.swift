import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// A checkpoint that was damaged after it was written is passed over for the one before, and the run ends with the same bits.
    @Suite struct DamageTests {
        enum Damage: CaseIterable, Sendable {
            case truncatedData, flippedBit, missingData, flippedManifest, missingManifest

            func apply(to checkpoint: URL) throws {
                let data = checkpoint.appendingPathComponent("rank-0000.bin"), manifest = checkpoint.appendingPathComponent("manifest.json")
                switch self {
                case .truncatedData: try data.change { $0.removeLast($0.count / 2) }
                case .flippedBit: try data.change { $0[$0.count / 3] ^= 4 }
                case .missingData: try FileManager.default.removeItem(at: data)
                case .flippedManifest: try manifest.change { $0[$0.count / 2] ^= 1 }
                case .missingManifest: try FileManager.default.removeItem(at: manifest)
                }
            }
        }

        @Test(arguments: Damage.allCases) func fallsBackToTheOneBefore(damage: Damage) throws {
            let run = try TinyRun()
            let first = try run.train(ranks: 2)
            #expect(run.checkpoints() == ["step-00000006", "step-00000007", "step-00000008"])
            try damage.apply(to: run.file("checkpoints/step-00000008"))

            let again = try run.amend("train", ranks: 3)
            #expect(again.status == 0, "\(again.errors)")
            let skipped = again.errorLines.filter { $0.contains("skipped") }
            #expect(skipped.count == 1 && skipped[0].hasPrefix("step-00000008"), "\(again.errors)")
            #expect(again.errors.contains("resuming after batch 7 from"), "\(again.errors)")
            #expect(try JSONDecoder().decode(Trained.self, from: Data(again.output.utf8)).digest == first.digest)
            #expect(run.loggedBatches() == Array(1...8))
            // Whole again.
            let inspected = try run.run(arguments: ["inspect", run.file("checkpoints/step-00000008").path])
            #expect(inspected.status == 0, "\(inspected.errors)")
        }

        @Test func startsAfreshWhenNoneIsLeft() throws {
            let run = try TinyRun()
            let first = try run.train()
            for name in run.checkpoints() { try Damage.flippedBit.apply(to: run.file("checkpoints/\(name)")) }
            let again = try run.amend("train", ranks: 2)
            #expect(again.errorLines.count { $0.contains("skipped") } == 3, "\(again.errors)")
            #expect(try JSONDecoder().decode(Trained.self, from: Data(again.output.utf8)).digest == first.digest)
            #expect(run.loggedBatches() == Array(1...8))
        }

        @Test func isReportedByTheOtherCommands() throws {
            let run = try TinyRun()
            _ = try run.train()
            let newest = run.file("checkpoints/step-00000008")
            try Damage.flippedBit.apply(to: newest)

            let evaluated = try run.amend("evaluate")
            #expect(evaluated.status == 0, "\(evaluated)")
            #expect(evaluated.errorLines.count { $0.hasPrefix("step-00000008") && $0.contains("skipped") } == 1, "\(evaluated)")
            #expect(evaluated.output.contains("step-00000007"))

            let inspected = try run.run(arguments: ["inspect", newest.path])
            #expect(inspected.status == 3 && inspected.errorLines.count == 1, "\(inspected)")
            #expect(inspected.errors.contains("rank-0000.bin"))
        }
    }
}

extension URL {
    /// Rewrites a file.
    func change(_ body: (inout Data) throws -> Void) throws {
        var data = try Data(contentsOf: self)
        try body(&data)
        try data.write(to: self)
    }
}
