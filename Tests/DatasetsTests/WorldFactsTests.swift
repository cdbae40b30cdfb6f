import Datasets
import Foundation
import Testing

/// The committed data set is what its users may rely on. Scripts/make-world-facts.py checks that its facts are right.
@Suite struct WorldFactsTests {
    private let train: [EditRecord]
    private let evaluation: [EditRecord]

    init() throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let directory = root.appendingPathComponent("Configs/data")
        train = try DatasetFile.load(directory.appendingPathComponent("world-facts-train.json").path, format: .counterfact)
        evaluation = try DatasetFile.load(directory.appendingPathComponent("world-facts-eval.json").path, format: .counterfact)
    }

    @Test func thereAreEnoughRecords() {
        #expect(train.count + evaluation.count >= 2000)
        #expect(evaluation.count >= 400)
        #expect(Set((train + evaluation).map(\.id)).count == train.count + evaluation.count, "two records share an id")
    }

    @Test func trainingAndEvaluationShareNoSubject() throws {
        func subjects(_ records: [EditRecord]) throws -> Set<String> {
            Set(try records.map { try #require($0.subject).lowercased() })
        }
        #expect(try subjects(train).isDisjoint(with: subjects(evaluation)))
    }

    @Test func everyRecordCanBeTrainedOnAndScored() throws {
        for record in train + evaluation {
            let subject = try #require(record.subject)
            let prompts = [record.prompt] + record.rephrasings
            let complete =
                record.target != record.groundTruth && record.rephrasings.count >= 2 && record.neighbors.count >= 3
                && Set(prompts).count == prompts.count && prompts.allSatisfy { $0.contains(subject) && !$0.contains("{}") }
                && record.neighbors.allSatisfy { $0.answer == record.groundTruth && !prompts.contains($0.prompt) }
            #expect(complete, "\(record)")
        }
    }
}
