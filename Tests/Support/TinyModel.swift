import Foundation
import TensorCore

/// A model of a few hundred kilobytes as Hugging Face would store it: the Llama architecture, random weights, and a tokenizer
/// that makes a token of every byte. A batch of edits takes it milliseconds.
package struct TinyModel {
    package static let hiddenSize = 32
    package static let intermediateSize = 64
    package static let layers = 4
    package static let heads = 4
    package static let keyValueHeads = 2
    package static let vocabularySize = 257  // the bytes and <|endoftext|>

    private var tensors: [(name: String, shape: [Int], values: [Float])] = []

    /// Equal weights for equal seeds.
    package init(seed: UInt64 = 1) {
        let (d, keyValueSize) = (Self.hiddenSize, Self.hiddenSize / Self.heads * Self.keyValueHeads)
        add("model.embed_tokens.weight", [Self.vocabularySize, d], scale: 1, seed)
        for layer in 0..<Self.layers {
            let prefix = "model.layers.\(layer)."
            for (name, shape) in [
                ("self_attn.q_proj", [d, d]), ("self_attn.k_proj", [keyValueSize, d]), ("self_attn.v_proj", [keyValueSize, d]),
                ("self_attn.o_proj", [d, d]), ("mlp.gate_proj", [Self.intermediateSize, d]),
                ("mlp.up_proj", [Self.intermediateSize, d]), ("mlp.down_proj", [d, Self.intermediateSize]),
            ] { add(prefix + name + ".weight", shape, scale: 0.2, seed) }
            for norm in ["input_layernorm", "post_attention_layernorm"] { addOnes(prefix + norm + ".weight") }
        }
        addOnes("model.norm.weight")
        add("lm_head.weight", [Self.vocabularySize, d], scale: 0.2, seed)
    }

    private mutating func add(_ name: String, _ shape: [Int], scale: Float, _ seed: UInt64) {
        tensors.append((name, shape, normals(1, shape.reduce(1, *), seed: seed, lane: UInt32(tensors.count), scale: scale).elements))
    }

    private mutating func addOnes(_ name: String) {
        tensors.append((name, [Self.hiddenSize], Array(repeating: 1, count: Self.hiddenSize)))
    }

    /// Puts `value` in the place of every number that stands for an ASCII character in the embedding.
    package mutating func setEmbedding(of character: Character, to value: Float) {
        let first = Int(Self.ids[character] ?? 0) * Self.hiddenSize
        tensors[0].values.replaceSubrange(first..<first + Self.hiddenSize, with: repeatElement(value, count: Self.hiddenSize))
    }

    /// Writes config.json, model.safetensors and tokenizer.json.
    package func write(to directory: URL) throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try writeJSON(Self.configuration, to: directory.appendingPathComponent("config.json"))
        try writeJSON(Self.tokenizer, to: directory.appendingPathComponent("tokenizer.json"))
        let stored = tensors.map { name, shape, values in
            (name, SafetensorsTensor(type: "F32", shape: shape, bytes: values.flatMap { littleEndian($0.bitPattern) }))
        }
        try safetensors(stored).write(to: directory.appendingPathComponent("model.safetensors"))
    }

    private static var configuration: [String: Any] {
        [
            "model_type": "llama", "hidden_act": "silu", "hidden_size": hiddenSize, "intermediate_size": intermediateSize,
            "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": keyValueHeads,
            "vocab_size": vocabularySize, "max_position_embeddings": 128, "rms_norm_eps": 1e-6, "rope_theta": 10_000,
            "tie_word_embeddings": false,
        ]
    }

    private static var tokenizer: [String: Any] {
        [
            "version": "1.0",
            "added_tokens": [
                [
                    "id": 0, "content": "<|endoftext|>", "special": true, "single_word": false,
                    "lstrip": false, "rstrip": false, "normalized": false,
                ] as [String: Any]
            ],
            "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true] as [String: Any],
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true] as [String: Any],
            "model": [
                "type": "BPE", "vocab": Dictionary(uniqueKeysWithValues: ids.map { (String($0), $1) }).merging(["<|endoftext|>": 0]) { $1 },
                "merges": [String](),
            ] as [String: Any],
        ]
    }

    /// GPT-2's byte alphabet: printable bytes stand for themselves, the others for characters from U+0100 on.
    private static var ids: [Character: Int] {
        let printable = Array(33...126) + Array(161...172) + Array(174...255)
        let others = (0...255).filter { !printable.contains($0) }
        let scalars = printable + (0..<others.count).map { 256 + $0 }
        return Dictionary(
            uniqueKeysWithValues: scalars.enumerated().compactMap { id, scalar in
                Unicode.Scalar(UInt32(scalar)).map { (Character($0), id + 1) }
            })
    }
}
