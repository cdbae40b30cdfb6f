import Foundation
import TensorCore
import TestSupport
import Testing
import Transformer

/// Headers of GGUF files that no model can have.
@Suite struct WrongGGUFTests {
    enum Value: Sendable { case integer(UInt32), float(Float), string(String) }

    @Test(
        arguments: [
            ("llama", ["expert_count": .integer(8)], "llama.expert_count is 8"),
            ("llama", ["rope.dimension_count": .integer(4)], "llama.rope.dimension_count is 4 and heads are 8 wide"),
            ("llama", ["rope.scaling.type": .string("yarn")], "llama.rope.scaling.type is 'yarn'"),
            ("llama", ["rope.scaling.type": .string("ya\nrn")], #"llama.rope.scaling.type is 'ya\nrn'"#),
            ("llama", ["rope.scaling.type": .string("linear")], "the metadata lack 'llama.rope.scaling.factor'"),
            ("llama", ["rope.freq_base": .float(0)], "the rotary base is 0.0"),
            ("llama", ["attention.head_count": .integer(0)], "llama.attention.head_count is 0"),
            ("llama", ["attention.head_count": .string("4")], "'llama.attention.head_count' is a string"),
            ("llama", ["attention.head_count": nil], "the metadata lack 'llama.attention.head_count'"),
            ("llama", ["attention.head_count_kv": .integer(3)], "key-value heads (3)"),
            ("llama", ["block_count": .integer(0)], "llama.block_count is 0"),
            ("llama", ["block_count": .integer(4_000_000_000)], "llama.block_count is 4000000000; expected 1 to 4096"),
            ("llama", ["block_count": .integer(2)], "'blk.0.attn_norm.weight' is missing"),
            ("llama", ["embedding_length": .integer(64), "rope.dimension_count": nil], "'token_embd.weight' is [97, 32]; expected [97, 64]"),
            ("llama", ["attention.layer_norm_rms_epsilon": nil], "the metadata lack 'llama.attention.layer_norm_epsilon'"),
            ("qwen2", ["attention.key_length": .integer(8), "attention.value_length": .integer(16)], "qwen2.attention.value_length is 16 and keys are 8 wide"),
            ("gpt2", ["embedding_length": .integer(0)], "the hidden size is 0"),
            ("gemma2", ["final_logit_softcapping": .float(-1)], "the final logit soft cap is -1.0"),
            ("gemma2", ["attn_logit_softcapping": .float(.nan)], "the attention soft cap is nan"),
            ("gemma3", ["attention.key_length": .integer(7)], "turn 7 of a head's 7 elements"),
        ] as [(String, [String: Value?], String)])
    func headers(family: String, changes: [String: Value?], fragment: String) throws {
        try expectRefusal(family, changes, tensors: [("token_embd.weight", [97, 32])], fragment)
    }

    @Test func tensors() throws {
        try expectRefusal("llama", [:], tensors: [], "'token_embd.weight' is missing")
        try expectRefusal("llama", [:], tensors: [("token_embd.weight", [97, 32]), ("rope_freqs.weight", [3])], "'rope_freqs.weight' has 3 elements")
        try expectRefusal("llama", [:], tensors: [("token_embd.weight", [97, 32]), ("rope_freqs.weight", [4])], "must be 4 positive numbers")
        // Heads of one element have no frequencies, and any number of empty rows have none either.
        try expectRefusal(
            "gemma3", ["attention.key_length": .integer(1)],
            tensors: [("token_embd.weight", [97, 32]), ("rope_freqs.weight", [.max, 0])], "turn 1 of a head's 1 elements")
        let error = try #require(throws: UnsupportedFamily.self) { try load("mamba", [:], tensors: []) }
        #expect("\(error)".contains("general.architecture is 'mamba'; supported: gemma2, gemma3, gpt2, llama, qwen2"))
    }

    private func expectRefusal(_ family: String, _ changes: [String: Value?], tensors: [(String, [Int])], _ fragment: String) throws {
        let text = "\(try #require(throws: BadInput.self) { try load(family, changes, tensors: tensors) })"
        #expect(text.contains(".gguf") && text.contains(fragment) && !text.contains { $0.isNewline }, "\(text)")
    }

    /// A file with the usual header of a small model but for `changes` (nil: without that key), and float32 tensors of zeros.
    private func load(_ architecture: String, _ changes: [String: Value?], tensors: [(String, [Int])]) throws {
        var values: [String: Value?] = [
            "embedding_length": .integer(32), "feed_forward_length": .integer(48), "block_count": .integer(1), "context_length": .integer(64),
            "attention.head_count": .integer(4), "attention.head_count_kv": .integer(2), "rope.dimension_count": .integer(8),
            architecture == "gpt2" ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon": .float(1e-6),
        ]
        values.merge(changes) { $1 }
        func string(_ text: String) -> [UInt8] { littleEndian(UInt64(text.utf8.count)) + Array(text.utf8) }
        var header: [[UInt8]] = [string("general.architecture") + littleEndian(UInt32(8)) + string(architecture)]
        for (key, value) in values {
            guard let value else { continue }
            switch value {
            case .integer(let number): header.append(string("\(architecture).\(key)") + littleEndian(UInt32(4)) + littleEndian(number))
            case .float(let number): header.append(string("\(architecture).\(key)") + littleEndian(UInt32(6)) + littleEndian(number.bitPattern))
            case .string(let text): header.append(string("\(architecture).\(key)") + littleEndian(UInt32(8)) + string(text))
            }
        }
        var offset = 0
        for (name, shape) in tensors {
            let extents = shape.reversed().flatMap { littleEndian(UInt64($0)) }
            header.append(string(name) + littleEndian(UInt32(shape.count)) + extents + littleEndian(UInt32(0)) + littleEndian(UInt64(offset)))
            offset += shape.contains(0) ? 0 : (4 * shape.reduce(1, *) + 31) / 32 * 32
        }
        var file =
            Array("GGUF".utf8) + littleEndian(UInt32(3)) + littleEndian(UInt64(tensors.count)) + littleEndian(UInt64(header.count - tensors.count)) + header.joined()
        file += [UInt8](repeating: 0, count: (32 - file.count % 32) % 32 + offset)
        let directory = try TemporaryDirectory()
        _ = try ModelSource(directory.write(file, to: "model.gguf")).loadModel()
    }
}
