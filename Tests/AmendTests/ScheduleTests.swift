import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// Which batches a run learns from on which model, told by their losses.
    @Suite struct ScheduleTests {
        private static let settings = ["training.update_every=1", "editor.inner_learning_rate=0.5"]

        private func losses(_ run: TinyRun, _ name: String, _ settings: [String]) throws -> [Double] {
            struct Line: Decodable { let loss: Double }
            _ = try run.train(into: name, Self.settings + settings)
            let text = try String(contentsOf: run.file("\(name)/metrics.jsonl"), encoding: .utf8)
            return try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)).loss }
        }

        /// The second batch is made on the unedited model where it begins a sequence, and beside the first batch's edits where it does not.
        @Test func sequencesBeginUnedited() throws {
            let run = try TinyRun()
            let apart = try losses(run, "apart", ["data.batches=1", "training.passes=2"]),
                together = try losses(run, "together", ["data.batches=2", "training.passes=1"])
            #expect(apart.count == 2 && together.count == 2 && apart[0] == together[0])
            #expect(abs(apart[1] / together[1] - 1) > 1e-4, "\(apart), \(together)")
        }

        /// RLEdit looks back to the batches before, not to the batch itself; at a sequence's beginning there is none.
        @Test func batchesBeforeAreLookedBackTo() throws {
            let run = try TinyRun()
            func losses(_ depth: Int) throws -> [Double] {
                try self.losses(
                    run, "depth-\(depth)",
                    [
                        "editor.method=rledit", "editor.back_depth=\(depth)", "editor.time_decay=1", "data.batches=2", "training.passes=2",
                        "editor.meta_learning_rate=1e-12",
                    ])
            }
            let one = try losses(1), two = try losses(2)
            #expect(abs(two[0] / one[0] - 1) < 1e-5 && abs(two[2] / one[2] - 1) < 1e-5)
            for batch in [1, 3] {
                #expect(two[batch] > 1.2 * one[batch], "nothing more is counted")
                #expect(abs(two[batch] / (2 * one[batch]) - 1) > 1e-3, "the batch itself is counted twice: \(one), \(two)")
            }
        }
    }
}
