import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// Which records of a file a run takes, and what of them it scores when.
    @Suite struct ChosenRecordTests {
        /// At a rate at which a batch's edits show in its scores, though no normaliser has learned anything.
        private static let method = ["editor.method=ultraedit", "editor.rank=null", "editor.blocks=null", "editor.meta_learning_rate=null"]
        private static let strong = method + ["editor.inner_learning_rate=1", "training.update_every=sequence"]

        /// Scores of records of the evaluation file, before and after.
        private func scores(_ run: TinyRun, _ records: [[String: String]], batches: Int, _ settings: [String]) throws -> [Double] {
            let file = run.file("some.json")
            try writeJSON(records, to: file)
            let result = try run.evaluate(Self.strong + ["data.evaluation.path=\(file.path)", "evaluation.batches=\(batches)"] + settings)
            return [result.before, result.after].flatMap { [$0.efficacy, $0.generalization, $0.specificity] }
        }

        /// Each batch is edited on the unedited model and scored by itself, so two of them give the mean of what each gives alone.
        @Test func batchesAreEditedAndScoredApart() throws {
            let run = try TinyRun(), size = TinyFiles.editsPerBatch
            var records = TinyFiles.records(2 * size, of: "e")
            // The second batch asks the first one's prompts too, where what the first would have put there counts as wrong.
            for index in 0..<size {
                records[size + index].merge(["ground_truth": records[index]["target_new"] ?? "", "rephrase_prompt": records[index]["prompt"] ?? ""]) { $1 }
            }
            let settings = ["editor.mode=batch", "evaluation.normalizer=frozen"]
            let both = try scores(run, records, batches: 2, settings)
            let first = try scores(run, Array(records[..<size]), batches: 1, settings)
            let second = try scores(run, Array(records[size...]), batches: 1, settings)
            #expect(first != second && second[..<3] != second[3...], "\(first), \(second): batches that cannot be told apart, or an edit that changes nothing")
            #expect(zip(both, zip(first, second)).allSatisfy { abs($0 - ($1.0 + $1.1) / 2) < 1e-9 }, "\(both), alone \(first) and \(second)")
        }

        /// The first records of the file are evaluated, a file with no more of them is enough.
        @Test func theFirstRecordsAreEvaluated() throws {
            let run = try TinyRun(), records = TinyFiles.records(24, of: "e"), wanted = 2 * TinyFiles.editsPerBatch
            let all = try scores(run, records, batches: 2, []), enough = try scores(run, Array(records[..<wanted]), batches: 2, [])
            #expect(all == enough)
            #expect(try scores(run, Array(records[(24 - wanted)...]), batches: 2, []) != all, "records that cannot be told apart")
        }

        /// Batches are cut from the order of the seed: with seed 5, of sixty records these come first.
        @Test func batchesAreTheNextOfTheOrder() throws {
            let order = [12, 50, 42, 52, 4, 9, 57, 33, 20, 23, 5, 58, 1, 55]
            let run = try TinyRun(), records = TinyFiles.records(60, of: "s"), others = TinyFiles.records(60, of: "another ")
            func loss(changing changed: (Int) -> Bool, batches: Int) throws -> Double {
                let name = UUID().uuidString
                try writeJSON((0..<60).map { changed($0) ? others[$0] : records[$0] }, to: run.file(name + ".json"))
                let settings = ["data.train.path=\(run.file(name + ".json").path)", "data.batches=\(batches)", "training.passes=1", "training.update_every=sequence"]
                return try #require(try run.train(into: name, settings).loss)
            }
            for batches in [1, 2] {
                let used = order.prefix(batches * TinyFiles.editsPerBatch), expected = try loss(changing: { _ in false }, batches: batches)
                #expect(try loss(changing: { !used.contains($0) }, batches: batches) == expected, "records that are not in \(batches) batches")
                #expect(try loss(changing: { $0 == used.last }, batches: batches) != expected, "the last record of batch \(batches)")
            }
        }

        /// A file of one batch is enough, one record fewer is not.
        @Test func aFileOfOneBatchIsEnough() throws {
            let run = try TinyRun(), size = TinyFiles.editsPerBatch, file = run.file("few.json")
            let settings = ["data.train.path=\(file.path)", "data.batches=1", "training.passes=1", "training.update_every=sequence"]
            try writeJSON(TinyFiles.records(size, of: "s"), to: file)
            #expect(try run.train(settings).batches == 1)
            try writeJSON(TinyFiles.records(size - 1, of: "s"), to: file)
            let fewer = try run.amend("train", settings)
            #expect(fewer.status == 3 && fewer.errors.contains("data.edits_per_batch is \(size)"), "\(fewer)")
        }

        /// Other subjects may not fit where the edit's own did: they are left out, and nothing ends the run.
        @Test func contrastsThatAreTooLongAreLeftOut() throws {
            let run = try TinyRun()
            // The tiny model reads 128 tokens of a byte each.
            let records = TinyFiles.records(TinyFiles.editsPerBatch, of: "e").map { record in
                record.merging(["prompt": String(repeating: "x", count: 116) + " " + (record["subject"] ?? "")]) { $1 }
            }
            try writeJSON(records, to: run.file("long.json"))
            let settings = ["data.evaluation.path=\(run.file("long.json").path)", "evaluation.batches=1", "editor.contrast_weight=1"]
            #expect(try run.evaluate(Self.strong + settings).edits == TinyFiles.editsPerBatch)
        }

        /// Seven edits are one micro-batch of seven or of at most eight, and two of at most six.
        @Test func microBatchesHaveTheirSize() throws {
            let run = try TinyRun()
            let settings = ["data.batches=1", "training.passes=1", "training.update_every=sequence"]
            let losses = try [6, 7, 8].map { try run.train(into: "\($0)", settings + ["data.micro_batch=\($0)"]).loss }
            #expect(losses[1] == losses[2] && losses[0] != losses[1], "\(losses)")
        }
    }
}
