import Foundation
import TensorCore
import TestSupport
import Testing
import Tokenization
import Transformer

/// Two real models against Hugging Face's implementation on the same weights, on 50 prompts; see make_prompt_references.py.
@Suite(.serialized) struct PromptTests {
    /// A model under models/ and the fixture of its references.
    struct Subject: Sendable, CustomTestStringConvertible {
        let name: String, file: String, fixture: String
        /// Whether the reference's text has special tokens spelled out.
        let spellsSpecialTokens: Bool
        var testDescription: String { name }
    }

    static let subjects = [
        Subject(name: "smollm2-135m", file: "SmolLM2-135M-Instruct.Q4_1.gguf", fixture: "smollm2-prompts.json", spellsSpecialTokens: true),
        Subject(name: "gemma-3-270m", file: "gemma-3-270m-q4_k_m.gguf", fixture: "gemma3-prompts.json", spellsSpecialTokens: false),
    ]

    private struct Case: Decodable {
        struct Largest: Decodable {
            let indices: [Int]
            let values: [Float]
        }
        let prompt: String
        let ids: [Int32]
        let topLogits: Largest
        let logitNorm: Double
        let firstLogits: [Float]
        let greedyIds: [Int32]
        let greedyText: String
    }

    private func source(_ subject: Subject) throws -> ModelSource {
        try ModelSource(fetchedModel(subject.name, subject.file).path)
    }

    private func cases(_ subject: Subject) throws -> [Case] {
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: fixture(subject.fixture)))
        #expect(cases.count == 50)
        return cases
    }

    @Test(arguments: subjects) func tokenizesAsHuggingFaceDoes(subject: Subject) throws {
        let tokenizer = try source(subject).loadTokenizer()
        for item in try cases(subject) {
            #expect(tokenizer.encode(item.prompt, addSpecialTokens: true) == item.ids, "\(item.prompt)")
            // SentencePiece, which wrote Gemma's texts, repairs bytes that end within a character in another way than `tokenizers`.
            if item.greedyText.contains("\u{FFFD}") { continue }
            let text = tokenizer.decode(item.greedyIds, skipSpecialTokens: !subject.spellsSpecialTokens)
            #expect(text == item.greedyText, "the continuation of \(item.prompt)")
        }
    }

    /// All prompts in one pack, each prompt's logits after its last token.
    @Test(arguments: subjects) func computesHuggingFacesLogits(subject: Subject) throws {
        let model = try source(subject).loadModel(), cases = try cases(subject)
        let pack = PackedSequences(prompts: cases.map { ($0.ids, [[0]]) })
        let logits = model.logits(pack, model.prefix(of: pack))
        for (row, item) in cases.enumerated() {
            let found = logits.rows(row..<row + 1).elements
            let largest = relativeError(item.topLogits.indices.map { found[$0] }, item.topLogits.values)
            #expect(largest <= 1e-3, "the largest logits after '\(item.prompt)': relative error \(largest)")
            let first = relativeError(Array(found.prefix(item.firstLogits.count)), item.firstLogits)
            #expect(first <= 1e-3, "the first logits after '\(item.prompt)': relative error \(first)")
            let norm = found.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(norm - item.logitNorm) <= 1e-3 * norm, "after '\(item.prompt)': ‖logits‖ = \(norm), expected \(item.logitNorm)")
        }
    }

    /// Each token of the reference's continuation is the most likely one after those before it: greedy continuation gives these tokens.
    @Test(arguments: subjects) func continuesAsHuggingFaceDoes(subject: Subject) throws {
        let model = try source(subject).loadModel(), cases = try cases(subject)
        let pack = PackedSequences(microBatches: [cases.map { TokenSequence(prompt: $0.ids, answer: $0.greedyIds) }])
        let predictions = model.score(pack, model.prefix(of: pack))
        for (item, range) in zip(cases, pack.predictions) {
            let place = range.firstIndex { !predictions[$0].isMostLikely }.map { $0 - range.lowerBound }
            #expect(place == nil, "'\(item.prompt)': token \(place ?? -1) of the continuation is not the most likely one")
        }
    }

    /// Reading piece by piece with kept keys and values is reading at once.
    @Test(arguments: subjects) func readsPieceByPiece(subject: Subject) throws {
        let model = try source(subject).loadModel(), choice = TokenChoice()
        for item in try cases(subject).prefix(2) {
            let reader = TextReader(model, capacity: item.ids.count + item.greedyIds.count)
            let half = item.ids.count / 2
            _ = reader.read(Array(item.ids[..<half]))
            var logits = reader.read(Array(item.ids[half...])), tokens: [Int32] = []
            while tokens.count < 8 {
                tokens.append(choice.token(logits, index: tokens.count))
                logits = reader.read([tokens[tokens.count - 1]])
            }
            #expect(tokens == Array(item.greedyIds.prefix(8)), "\(item.prompt)")
        }
    }
}
