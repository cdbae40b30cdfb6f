import Foundation
import Tokenization
import Transformer

/// A Llama whose layers add nothing: what follows a token depends on that token alone, with logits that are given. Its tokens are the small
/// letters, and the capitals with a space before them, so that " X" is one token and " Xb" two.
struct BigramModel {
    private static let small = (0..<26).map { String(UnicodeScalar(UInt8(97 + $0))) }
    private static let capitals = (0..<26).map { "Ġ" + String(UnicodeScalar(UInt8(65 + $0))) }
    private static let vocabulary = small + capitals + capitals.map { String($0.dropFirst()) } + ["Ġ"]
    private static let states = 32  // hidden size: a dimension for each token that something follows

    let model: LanguageModel
    let tokenizer: Tokenizer

    /// `following`: of a token, written "p" or " X", the logits of the tokens after it; of all others the logits are zero.
    /// `beginning`: the token that the tokenizer puts before every prompt, if it does.
    init(_ following: [String: [String: Float]], beginning: String? = nil) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("bigrams-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try Self.write(Self.configuration, to: directory.appendingPathComponent("config.json"))
        try Self.write(Self.tokenizer(beginning), to: directory.appendingPathComponent("tokenizer.json"))
        try Self.safetensors(following).write(to: directory.appendingPathComponent("model.safetensors"))
        let source = try ModelSource(directory.path)
        (model, tokenizer) = (try source.loadModel(), try source.loadTokenizer())
        try model.selectModules(["model.layers.0.mlp.down_proj"])
    }

    /// log P of a token after another, from the logits alone.
    static func logProbability(_ token: String, after before: String, _ following: [String: [String: Float]]) -> Double {
        let logits = following[before] ?? [:]
        let total = logits.values.reduce(Double(vocabulary.count - logits.count)) { $0 + exp(Double($1)) }
        return Double(logits[token] ?? 0) - log(total)
    }

    private static func id(_ token: String) -> Int { vocabulary.firstIndex(of: token.replacing(" ", with: "Ġ")) ?? -1 }

    private static func safetensors(_ following: [String: [String: Float]]) -> Data {
        var embedding = [Float](repeating: 0, count: vocabulary.count * states), head = embedding
        for (state, before) in following.keys.sorted().enumerated() {
            embedding[id(before) * states + state] = 1
            // The norm makes √states of the one.
            for (after, logit) in following[before] ?? [:] { head[id(after) * states + state] = logit / Float(states).squareRoot() }
        }
        func zeros(_ rows: Int, _ columns: Int) -> ([Int], [Float]) { ([rows, columns], [Float](repeating: 0, count: rows * columns)) }
        let ones = ([states], [Float](repeating: 1, count: states)), layer = "model.layers.0."
        var tensors = [
            "model.embed_tokens.weight": ([vocabulary.count, states], embedding), "lm_head.weight": ([vocabulary.count, states], head),
            "model.norm.weight": ones, layer + "input_layernorm.weight": ones, layer + "post_attention_layernorm.weight": ones,
        ]
        for part in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"] { tensors[layer + part + ".weight"] = zeros(states, states) }
        for part in ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"] { tensors[layer + part + ".weight"] = zeros(states, states) }
        var header: [String: Any] = [:], body = Data()
        for (name, (shape, values)) in tensors.sorted(by: { $0.key < $1.key }) {
            let first = body.count
            values.withUnsafeBytes { body.append(contentsOf: $0) }
            header[name] = ["dtype": "F32", "shape": shape, "data_offsets": [first, body.count]] as [String: Any]
        }
        let text = (try? JSONSerialization.data(withJSONObject: header, options: .sortedKeys)) ?? Data()
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) } + text + body
    }

    private static var configuration: [String: Any] {
        [
            "model_type": "llama", "hidden_act": "silu", "hidden_size": states, "intermediate_size": states, "num_hidden_layers": 1,
            "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": vocabulary.count, "max_position_embeddings": 64, "rms_norm_eps": 1e-12,
            "tie_word_embeddings": false,
        ]
    }

    private static func tokenizer(_ beginning: String?) -> [String: Any] {
        let token = beginning ?? ""
        let template: [String: Any] = [
            "type": "TemplateProcessing", "pair": [Any](), "single": [["SpecialToken": ["id": token, "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]]] as [Any],
            "special_tokens": [token: ["id": token, "ids": [id(token)], "tokens": [token]] as [String: Any]],
        ]
        let tokenizer: [String: Any] = [
            "version": "1.0", "added_tokens": [Any](),
            "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true] as [String: Any],
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true] as [String: Any],
            "model": [
                "type": "BPE", "vocab": Dictionary(uniqueKeysWithValues: vocabulary.enumerated().map { ($1, $0) }),
                "merges": capitals.map { "Ġ \($0.dropFirst())" },
            ] as [String: Any],
        ]
        return beginning == nil ? tokenizer : tokenizer.merging(["post_processor": template]) { $1 }
    }

    private static func write(_ object: [String: Any], to file: URL) throws {
        try JSONSerialization.data(withJSONObject: object).write(to: file)
    }
}
