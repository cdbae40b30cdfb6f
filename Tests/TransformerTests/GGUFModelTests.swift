import Foundation
import TensorCore
import TestSupport
import Testing
import Transformer

/// Models in GGUF files (make_gguf.py) against the Hugging Face directories that they were made of.
@Suite struct GGUFModelTests {
    private let pack = PackedSequences(microBatches: [randomSequences(4)])

    private func load(_ name: String, _ weights: WeightPrecision = .auto) throws -> LanguageModel {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/gguf/\(name)", withExtension: "gguf"))
        return try ModelSource(url.path).loadModel(weights: weights)
    }

    private func numbers(_ model: LanguageModel) throws -> [Float] {
        try model.selectModules(model.editableModules.dropFirst(2).map(\.name))
        edit(model)
        return model.logits(of: pack) + model.rows(of: pack, on: .answerTokens).flatMap { $0.keys.elements + $0.gradients.elements }
    }

    private func expectSameModel(_ found: LanguageModel, _ expected: LanguageModel, _ name: String) throws {
        #expect(found.configuration == expected.configuration, "\(name)")
        #expect(found.editableModules.map(\.name) == expected.editableModules.map(\.name), "\(name)")
        #expect(found.fingerprint == expected.fingerprint, "\(name)")
        expectSame(try numbers(found), try numbers(expected), name)
    }

    @Test(arguments: ["gpt2", "llama", "qwen2", "gemma2"]) func computesWhatHuggingFacesFileDoes(family: String) throws {
        let model = try load(family)
        #expect(model.weightMemory.mapped > 0)
        try expectSameModel(model, Golden(family).loadModel(editing: []), family)
    }

    /// GGUF does not say which of Gemma 3's layers have a sliding window: all but every sixth.
    @Test func everySixthLayerOfGemma3SeesAllTokens() throws {
        let copy = try ModelCopy("gemma3")
        for (name, tensor) in copy.tensors {
            for (from, to) in [(".layers.0.", ".layers.4."), (".layers.1.", ".layers.5.")] where name.contains(from) {
                copy.tensors[name.replacing(from, with: to)] = tensor
            }
        }
        copy.configuration["num_hidden_layers"] = 6
        copy.configuration["layer_types"] = Array(repeating: "sliding_attention", count: 5) + ["full_attention"]
        try expectSameModel(load("gemma3"), copy.loadModel(), "gemma3")
    }

    /// llama.cpp stores Llama 3's scaling as a divisor for each frequency, which rounds differently.
    @Test func readsFrequencyDivisors() throws {
        expectClose(try numbers(load("llama3")), try numbers(Golden("llama3").loadModel(editing: [])), within: 1e-5, "llama3")
    }

    /// Weights in ggml's blocks are computed with where they lie, but for those whose rows llama.cpp has permuted.
    @Test func blocksHaveTheBitsOfTheirValues() throws {
        let model = try load("llama-blocks"), decoded = try load("llama-blocks", .float32)
        #expect(Set(model.weightTypes.map(\.type)) == ["q8_0", "q5_1", "q5_0", "q4_0", "q4_1", "float16"])
        #expect(model.weightMemory.owned == 2 * (64 * 64 / 32 * 34 + 32 * 64 / 32 * 24), "queries and keys alone are copied")
        #expect(decoded.weightTypes.map(\.type) == ["float32"])
        let directory = try #require(Bundle.module.url(forResource: "Fixtures/llama-blocks", withExtension: nil)).path
        let expected = try ModelSource(directory).loadModel()
        for (found, wanted) in zip(model.editableModules, expected.editableModules) {
            for row in 0..<found.valueSize { expectSame(found.frozenRow(row), wanted.frozenRow(row), "row \(row) of \(found.name)") }
        }
        try expectSameModel(model, expected, "in blocks")
        try expectSameModel(decoded, ModelSource(directory).loadModel(), "decoded")
    }

    @Test func tokenIDsBeyondThoseOfATokenizerAreRefused() throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/gguf/llama", withExtension: "gguf"))
        var file = GGUFParts(Array(try Data(contentsOf: url)))
        file.addVocabulary(97)
        let directory = try TemporaryDirectory(), path = try directory.write(file.bytes, to: "model.gguf")
        #expect(try ModelSource(path).loadTokenizer().vocabularySize == 97)
        for key in ["bos_token_id", "eos_token_id", "unknown_token_id"] {
            var wrong = file
            wrong.metadata.removeAll { $0.key == Array("tokenizer.ggml.\(key)".utf8) }
            wrong.add("tokenizer.ggml.\(key)", 4, littleEndian(UInt32.max))
            try Data(wrong.bytes).write(to: URL(fileURLWithPath: path))
            let error = try #require(throws: BadInput.self) { try ModelSource(path).loadTokenizer() }
            #expect("\(error)" == "\(path): tokenizer.ggml.\(key) is 4294967295; expected a token id, 0 to 2147483647")
        }
    }

    /// Weights may be such that nothing can be computed with them; a token is drawn of what comes out all the same.
    @Test(arguments: [Float.nan, .infinity, -.infinity]) func drawsATokenOfLogitsThatAreNoNumbers(logit: Float) {
        for choice in [TokenChoice(temperature: 0), TokenChoice(temperature: 1), TokenChoice(temperature: 0.5, topK: 2, topP: 0.9)] {
            #expect((0..<3).contains(choice.token([logit, logit, logit], index: 0)))
            #expect((0..<3).contains(choice.token([0, logit, 1], index: 1)))
        }
    }

    @Test func aDirectoryWithOneFileIsThatFile() throws {
        let copy = try ModelCopy("qwen2")
        try FileManager.default.createDirectory(atPath: copy.path, withIntermediateDirectories: true)
        let source = try #require(Bundle.module.url(forResource: "Fixtures/gguf/qwen2", withExtension: "gguf"))
        for name in ["a.gguf", "b.gguf"] {
            try FileManager.default.copyItem(at: source, to: URL(fileURLWithPath: copy.path + "/" + name))
            if name == "a.gguf" { #expect(try ModelSource(copy.path).loadModel().configuration.family == "qwen2") }
        }
        let error = try #require(throws: BadInput.self) { try ModelSource(copy.path) }
        #expect("\(error)".contains("holds 2 .gguf files; name one of them: a.gguf, b.gguf"))
    }
}
