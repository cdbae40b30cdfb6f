import Foundation
import TensorCore
import TestSupport
import Testing
import Tokenization
import Transformer

/// The real model against Hugging Face's implementation on the same weights; see make_smollm2_reference.py.
@Suite(.serialized) struct SmolLM2Tests {
    private struct Reference: Decodable {
        struct Case: Decodable {
            let prompt: String
            let ids: [Int32]
            let norm: Float
            let largest: Entries, sampled: Entries
        }
        struct Entries: Decodable {
            let ids: [Int]
            let logits: [Float]
        }
        struct Continuation: Decodable {
            let prompt: String
            let ids: [Int32]
            let text: String
        }

        let model: String
        let cases: [Case]
        let continuation: Continuation
    }

    private let reference: Reference
    private let source: ModelSource

    init() throws {
        reference = try JSONDecoder().decode(Reference.self, from: Data(contentsOf: fixture("smollm2.json")))
        source = try ModelSource(fetchedModel("smollm2-135m", reference.model).path)
    }

    @Test func tokenizesAsHuggingFaceDoes() throws {
        let tokenizer = try source.loadTokenizer()
        for item in reference.cases {
            #expect(tokenizer.encode(item.prompt, addSpecialTokens: true) == item.ids, "\(item.prompt)")
            #expect(tokenizer.decode(item.ids, skipSpecialTokens: false) == item.prompt)
        }
    }

    /// All prompts in one pack, each prompt's logits after its last token.
    @Test func computesHuggingFacesLogits() throws {
        let model = try source.loadModel()
        let logits = model.lastLogits(reference.cases.map(\.ids))
        for (row, item) in reference.cases.enumerated() {
            let found = logits.rows(row..<row + 1).elements
            let error = relativeError(item.largest.ids.map { found[$0] }, item.largest.logits)
            #expect(error <= 1e-3, "the largest logits after '\(item.prompt)': relative error \(error)")
            let sampled = relativeError(item.sampled.ids.map { found[$0] }, item.sampled.logits)
            #expect(sampled <= 1e-3, "64 logits after '\(item.prompt)': relative error \(sampled)")
            let norm = found.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(norm - Double(item.norm)) <= 1e-3 * norm, "after '\(item.prompt)': ‖logits‖ = \(norm), expected \(item.norm)")
            #expect(found.firstIndex(of: found.max() ?? .nan) == item.largest.ids[0], "the most likely token after '\(item.prompt)'")
        }
    }

    @Test func continuesAsHuggingFaceDoes() throws {
        let model = try source.loadModel(), tokenizer = try source.loadTokenizer()
        let prompt = tokenizer.encode(reference.continuation.prompt, addSpecialTokens: true)
        var ids = prompt
        for _ in reference.continuation.ids {
            let logits = model.lastLogits([ids]).elements
            ids.append(Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0))
        }
        let added = Array(ids[prompt.count...])
        #expect(added == reference.continuation.ids)
        #expect(tokenizer.decode(added, skipSpecialTokens: false) == reference.continuation.text)
        #expect(reference.continuation.prompt == "The capital of France is" && reference.continuation.text.hasPrefix(" Paris"))
    }
}

extension LanguageModel {
    /// Logits [prompts, vocabulary] after the last token of each prompt.
    fileprivate func lastLogits(_ prompts: [[Int32]]) -> Matrix {
        let pack = PackedSequences(prompts: prompts.map { ($0, [[0]]) })
        return logits(pack, prefix(of: pack))
    }
}
