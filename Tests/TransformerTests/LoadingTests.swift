import Foundation
import TensorCore
import TestSupport
import Testing
import Transformer

/// Nothing that a model's files say is passed over: heads, biases, tensors, keys, and files of other kinds.
@Suite struct LoadingTests {
    private let pack = PackedSequences(microBatches: [randomSequences(4)])

    /// A head that differs from the embedding that it is said to be tied to is used, and that is said.
    @Test(arguments: ["llama", "mistral", "qwen2"]) func aHeadOfItsOwnIsUsed(family: String) throws {
        let copy = try ModelCopy(family), expected = try Golden(family).loadModel()
        copy.configuration["tie_word_embeddings"] = true
        let model = try copy.loadModel()
        expectSame(model.logits(of: pack), expected.logits(of: pack), "with its own head")
        #expect(!model.configuration.hasTiedHead && model.loadingNotes.count == 1)
        #expect(model.loadingNotes.first?.contains("'lm_head.weight'") == true && expected.loadingNotes.isEmpty)
    }

    /// A head that is the embedding again is the embedding, and one of the two is enough.
    @Test(arguments: [
        ("llama3", "model.embed_tokens.weight"), ("gemma2", "model.embed_tokens.weight"), ("gemma3", "model.embed_tokens.weight"),
        ("gpt2", "transformer.wte.weight"),
    ])
    func aTiedHeadMayBeStored(family: String, embedding: String) throws {
        let copy = try ModelCopy(family), expected = try Golden(family).loadModel()
        copy.tensors["lm_head.weight"] = copy.tensors[embedding]
        for lacks in [nil, embedding] {
            if let lacks { copy.tensors[lacks] = nil }
            let model = try copy.loadModel()
            expectSame(model.logits(of: pack), expected.logits(of: pack), "a stored head")
            #expect(model.configuration.hasTiedHead && model.loadingNotes.isEmpty && model.weightMemory == expected.weightMemory)
        }
    }

    @Test(arguments: Golden.families) func tensorsThatNothingReadsAreRefused(family: String) throws {
        let copy = try ModelCopy(family)
        for index in 0..<9 { copy.tensors["model.layers.\(index).extra"] = ModelCopy.Tensor(type: "F32", shape: [1], bytes: [0, 0, 0, 0]) }
        let text = "\(try #require(throws: BadInput.self) { try copy.loadModel() })"
        #expect(text.contains("'model.layers.0.extra'") && text.contains("and 3 more") && !text.contains { $0.isNewline }, "\(text)")
    }

    @Test(arguments: ["llama", "mistral", "qwen2", "gemma2", "gemma3"]) func savedFrequenciesAreHarmless(family: String) throws {
        let copy = try ModelCopy(family)
        copy.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ModelCopy.Tensor(type: "F32", shape: [1], bytes: [0, 0, 0, 0])
        expectSame(try copy.loadModel().logits(of: pack), try Golden(family).loadModel().logits(of: pack), "with frequencies")
    }

    /// Several keys that are not known are named together, sorted, the first of them by name.
    @Test func unknownKeysAreNamedTogether() throws {
        let copy = try ModelCopy("llama")
        for index in 0..<9 { copy.configuration["unknown_\(index)"] = index }
        copy.configuration["quantization_config"] = ["bits": 4]
        let text = "\(try #require(throws: BadInput.self) { try copy.loadModel() })"
        #expect(text.contains("'quantization_config' is an object, 'unknown_0' is 0, 'unknown_1' is 1") && text.contains("and 4 more"), "\(text)")
    }

    /// Biases in GGUF files of Llama's architecture, those of queries and keys in pairs like their weights; some layers may lack them.
    @Test(arguments: [false, true]) func readsBiasesOfGGUF(isPartial: Bool) throws {
        let copy = try ModelCopy("llama")
        let url = try #require(Bundle.module.url(forResource: "Fixtures/gguf/llama", withExtension: "gguf"))
        var file = GGUFParts(Array(try Data(contentsOf: url)))
        copy.configuration["attention_bias"] = true
        copy.configuration["mlp_bias"] = true
        let parts = [
            ("self_attn.q_proj", "attn_q", 32, 4), ("self_attn.k_proj", "attn_k", 16, 2), ("self_attn.v_proj", "attn_v", 16, 0),
            ("self_attn.o_proj", "attn_output", 32, 0), ("mlp.gate_proj", "ffn_gate", 48, 0), ("mlp.up_proj", "ffn_up", 48, 0),
            ("mlp.down_proj", "ffn_down", 32, 0),
        ]
        for layer in 0..<4 {
            for (place, (module, name, size, heads)) in parts.enumerated() {
                let isThere = !isPartial || (layer + place) % 3 == 0
                let values = isThere ? normals(1, size, lane: UInt32(10 * layer + place), scale: 0.5).elements : Array(repeating: 0, count: size)
                copy.tensors["model.layers.\(layer).\(module).bias"] = ModelCopy.Tensor(
                    type: "F32", shape: [size], bytes: values.flatMap { littleEndian($0.bitPattern) })
                guard isThere else { continue }
                let half = heads > 0 ? size / heads / 2 : 1
                let stored = heads > 0 ? (0..<size).map { values[$0 / (2 * half) * 2 * half + $0 % 2 * half + $0 % (2 * half) / 2] } : values
                let start = (file.data.count + 31) / 32 * 32
                file.data += [UInt8](repeating: 0, count: start - file.data.count) + stored.flatMap { littleEndian($0.bitPattern) }
                file.tensors.append(.init(name: Array("blk.\(layer).\(name).bias".utf8), dimensions: [UInt64(size)], type: 0, offset: UInt64(start)))
            }
        }
        let directory = try TemporaryDirectory(), path = try directory.write(file.bytes, to: "model.gguf")
        expectClose(try ModelSource(path).loadModel().logits(of: pack), try copy.loadModel().logits(of: pack), within: 1e-6, "with biases")
        #expect(relativeError(try copy.loadModel().logits(of: pack), try Golden("llama").loadModel().logits(of: pack)) > 1e-2)
    }

    @Test func otherFilesAreToldWhatTheyAre() throws {
        let copy = try ModelCopy("llama")
        func refusal() throws -> String { "\(try #require(throws: BadInput.self) { try ModelSource(copy.path).loadModel() })" }
        func write(_ text: String, _ name: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: copy.path + "/" + name)) }
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
        for name in ["model.safetensors", "config.json"] {
            try copy.write()
            try write(pointer, name)
            #expect(try refusal().hasSuffix("\(name): is a Git LFS pointer, not the file itself; run 'git lfs pull' in its repository"))
        }
        try copy.write()
        try FileManager.default.removeItem(atPath: copy.path + "/model.safetensors")
        try write("", "pytorch_model.bin")
        #expect(try refusal().contains("'pytorch_model.bin' is of another format. To convert it: python -c"))
        try write(pointer, "model.safetensors.index.json")
        #expect(try refusal().contains("model.safetensors.index.json: is a Git LFS pointer"))
        try copy.write()
        try write("{}", "adapter_config.json")
        #expect(try refusal().contains("'adapter_config.json'"))
    }

    /// Gradients are turned back by what rows were turned by, the attention factor too.
    @Test func gradientsKnowTheAttentionFactor() throws {
        let copy = try ModelCopy("llama")
        copy.configuration["rope_parameters"] = ["rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16] as [String: Any]
        let model = try copy.loadModel()
        try model.selectModules(["model.layers.1.mlp.down_proj"])
        let module = model.edited[0], row = try #require(model.rows(of: pack, on: .allTokens).first)
        // Along the shift KᵀG the loss changes by ‖KᵀG‖² per unit.
        let shift = Matrix(rows: module.keySize, columns: module.valueSize)
        for token in 0..<row.keys.rows {
            for i in 0..<shift.rows { for j in 0..<shift.columns { shift[i, j] += row.keys[token, i] * row.gradients[token, j] } }
        }
        let slope = shift.elements.reduce(0.0) { $0 + Double($1) * Double($1) }, step: Float = 0.002 / Float(slope.squareRoot())
        func loss(_ factor: Float) -> Double {
            let scaled = Matrix(rows: shift.rows, columns: shift.columns, shift.elements.map { $0 * factor })
            module.restore()
            module.add(shift: scaled)
            return model.losses(of: pack).reduce(0.0) { $0 + Double($1) }
        }
        let found = (loss(step) - loss(-step)) / Double(2 * step)
        #expect(abs(found - slope) < 0.02 * slope, "slope \(found), expected \(slope)")
    }
}
