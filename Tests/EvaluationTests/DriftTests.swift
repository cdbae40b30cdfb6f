import Communication
import Datasets
import Editing
import Evaluation
import Foundation
import TestSupport
import Testing
import Tokenization
import Transformer

/// What edits change, against the model's logits before and after, in double precision.
@Suite struct DriftTests {
    private static let passages = ["the kettle sings", "rain", "a b c d e", "two trains leave", "snow fell"]

    private let model: LanguageModel
    private let tokenizer: Tokenizer

    init() throws {
        let directory = try TemporaryDirectory()
        try TinyFiles.write(to: directory.url)
        let source = try ModelSource(directory.path + "/model")
        (model, tokenizer) = (try source.loadModel(), try source.loadTokenizer())
        try model.selectModules(["model.layers.1.mlp.gate_proj", "model.layers.2.mlp.down_proj"])
        withExtendedLifetime(directory) {}  // read until here
    }

    private func edit() {
        for module in model.edited { module.add(shift: normals(module.keySize, module.valueSize, seed: 5, lane: 1, scale: 0.2)) }
    }

    /// log P of every token after a sequence's tokens but its last.
    private func distributions(_ tokens: [Int32]) -> [[Double]] {
        let pack = PackedSequences(microBatches: [[TokenSequence(prompt: [tokens[0]], answer: Array(tokens.dropFirst()))]])
        let logits = model.logits(pack, model.prefix(of: pack))
        return (0..<logits.rows).map { row in
            let values = (0..<logits.columns).map { Double(logits[row, $0]) }, total = log(values.reduce(0) { $0 + exp($1) })
            return values.map { $0 - total }
        }
    }

    private func top(_ distribution: [Double]) -> Int? { distribution.indices.max { distribution[$0] < distribution[$1] } }

    @Test func driftIsTheMeanOverTokens() throws {
        let meter = DriftMeter(Self.passages, model: model, tokenizer: tokenizer, work: ShardedWork(communicator: Communicator(), shards: 3))
        let texts = Self.passages.map { tokenizer.encode($0, addSpecialTokens: true) }, before = texts.map(distributions)
        edit()
        let after = texts.map(distributions)
        // Of every other place what is likeliest there: places that kept theirs and places that did not.
        let answers = Set(after.joined().enumerated().filter { $0.offset % 2 == 0 }.compactMap { top($0.element).map(Int32.init) })
        let found = try meter.measure(answers: answers)
        var bled = 0.0, keptAnswers = 0
        var divergence = 0.0, kept = 0.0, lost = 0.0, count = 0.0
        for (tokens, (before, after)) in zip(texts, zip(before, after)) {
            for (place, (p, q)) in zip(before, after).enumerated() {
                divergence += zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
                kept += top(p) == top(q) ? 1 : 0
                bled += top(p) != top(q) && top(q).map { answers.contains(Int32($0)) } == true ? 1 : 0
                keptAnswers += top(p) == top(q) && top(q).map { answers.contains(Int32($0)) } == true ? 1 : 0
                lost += p[Int(tokens[place + 1])] - q[Int(tokens[place + 1])]
                count += 1
            }
        }
        #expect(found.tokens == Int(count) && found.tokens == texts.reduce(0) { $0 + $1.count - 1 })
        #expect(kept < count && kept > 0, "an edit that moves everything or nothing")
        #expect(abs(found.divergence - divergence / count) < 1e-5 * divergence / count && abs(found.tokensKept - 100 * kept / count) < 1e-9)
        #expect(bled > 0 && keptAnswers > 0)
        #expect(abs(found.bleed - 100 * bled / count) < 1e-9)
        #expect(abs(found.perplexityRatio / exp(lost / count) - 1) < 1e-5)
    }

    /// Of each probe, whether the likeliest first token is the unedited model's.
    @Test func unchangedIsByTheFirstToken() throws {
        let records = (0..<30).map { index in
            EditRecord(
                id: "\(index)", subject: nil, edit: Question(prompt: "fact \(index)", answer: "red"), groundTruth: nil, rephrasings: [],
                neighbors: [Question(prompt: "other \(index * 7)", answer: "blue")])
        }
        func tops(_ prompt: (EditRecord) -> String) -> [Int?] {
            records.map { record in distributions(tokenizer.encode(prompt(record), addSpecialTokens: true) + [0]).last.flatMap(top) }
        }
        let scorer = try Scorer(records, model: model, tokenizer: tokenizer, work: ShardedWork(communicator: Communicator(), shards: 3))
        let neighbor: (EditRecord) -> String = { $0.probes.last?.prompt ?? "" }
        _ = try scorer.scoreUnedited()
        let before = (tops(\.prompt), tops(neighbor))
        edit()
        let after = (tops(\.prompt), tops(neighbor)), found = try scorer.score(0..<records.count).report.unchanged
        func share(_ a: [Int?], _ b: [Int?]) -> Double { 100 * Double(zip(a, b).filter { $0 == $1 }.count) / Double(a.count) }
        let expected = (share(before.0, after.0), share(before.1, after.1))
        #expect(expected.0 < 100 && expected.1 < 100 && expected.0 + expected.1 > 0, "\(expected): an edit that moves everything or nothing")
        #expect(abs(found.efficacy - expected.0) < 1e-9 && abs(found.specificity - expected.1) < 1e-9)
    }

    /// The edit stands before each prompt, and first tokens are compared with those of the bare one; a prompt that is then too long is not scored.
    @Test func contextTellsOfTheEdit() throws {
        func records(_ context: (Int) -> String) -> [EditRecord] {
            (0..<30).map { index in
                let prompts = ["fact \(index)", "what is fact \(index)?", "other \(index * 7)"].map { context(index) + $0 }
                return EditRecord(
                    id: "\(index)", subject: nil, edits: [Question(prompt: "fact \(index)", answer: "red")],
                    probes: [
                        Probe(.efficacy, prompts[0], .answer("red", over: "blue")), Probe(.generalization, prompts[1], .answer("red", over: "blue")),
                        Probe(.specificity, prompts[2], .answer("blue", over: "red")),
                    ])
            }
        }
        let bare = records { _ in "" }, told = records { "New fact: fact \($0) red.\n\n" }
        func scorer(_ records: [EditRecord]) throws -> Scorer {
            try Scorer(records, model: model, tokenizer: tokenizer, work: ShardedWork(communicator: Communicator(), shards: 3))
        }
        func tops(_ records: [EditRecord]) -> [Int?] {
            records.flatMap(\.probes).map { distributions(tokenizer.encode($0.prompt, addSpecialTokens: true) + [0]).last.flatMap(top) }
        }
        let asked = try scorer(bare), unedited = try asked.scoreUnedited().report, found = try asked.scoreInContext().report
        let expected = try scorer(told).score(0..<30).report
        #expect(found.scores == expected.scores && found.tokenAccuracy == expected.tokenAccuracy && found.exactMatch == expected.exactMatch)
        #expect(found.tokenAccuracy != unedited.tokenAccuracy || found.scores != unedited.scores)
        let kept = zip(tops(bare), tops(told)).enumerated().filter { $0.offset % 3 == 2 && $0.element.0 == $0.element.1 }.count
        #expect(abs(found.unchanged.specificity - 100 * Double(kept) / 30) < 1e-9)

        let long = String(repeating: "long ", count: model.longestSequence)
        let fits = EditRecord(id: "1", subject: nil, edits: [Question(prompt: long, answer: "red")], probes: [Probe(.generalization, "fact", .tokens("red"))])
        let none = try scorer([fits])
        #expect(try !none.scoreUnedited().report.tokenAccuracy.generalization.isNaN && none.scoreInContext().report.tokenAccuracy.generalization.isNaN)
    }
}
