import TensorCore
import WeightFiles

/// Llama 2 and 3 and what shares their architecture (SmolLM2): RMSNorm, rotary embeddings on halves, grouped-query attention,
/// SwiGLU. Hugging Face's names are the names of modules; GGUF's are translated here.
enum LlamaFamily {
    // MARK: Hugging Face

    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory) throws -> LanguageModel {
        let configuration = try configuration(file)
        return try build(configuration, weights, Names.huggingFace) { tensor, _ in try WeightLoading.weight(tensor) }
    }

    private static func configuration(_ file: ConfigurationFile) throws -> DecoderConfiguration {
        let activation: String = try file.optional("hidden_act") ?? "silu"
        guard activation == "silu" else { throw BadInput(file.path, "hidden_act is '\(activation)'; a llama model has 'silu'") }
        for key in ["attention_bias", "mlp_bias"] where try file.optional(key) ?? false {
            throw BadInput(file.path, "'\(key)' is true; llama models with biases are not supported")
        }
        let hiddenSize: Int = try file.required("hidden_size")
        let headCount: Int = try file.required("num_attention_heads")
        guard headCount > 0 else { throw BadInput(file.path, "num_attention_heads is \(headCount); expected at least 1") }
        let configuration = DecoderConfiguration(
            family: "llama",
            hiddenSize: hiddenSize,
            intermediateSize: try file.required("intermediate_size"),
            layerCount: try file.required("num_hidden_layers"),
            headCount: headCount,
            keyValueHeadCount: try file.optional("num_key_value_heads") ?? headCount,
            headSize: try file.optional("head_dim") ?? hiddenSize / headCount,
            vocabularySize: try file.required("vocab_size"),
            contextLength: try file.optional("max_position_embeddings") ?? 2048,
            normEpsilon: try file.optional("rms_norm_eps") ?? 1e-6,
            rotary: try rotary(file),
            hasTiedHead: try file.optional("tie_word_embeddings") ?? false)
        try configuration.validate(file.path)
        return configuration
    }

    /// Transformers 5 writes rope_parameters; earlier releases rope_theta and rope_scaling.
    private static func rotary(_ file: ConfigurationFile) throws -> RotaryConfiguration {
        let section = try file.section("rope_parameters") ?? file.section("rope_scaling")
        let base: Float = try section?.optional("rope_theta") ?? file.optional("rope_theta") ?? 10_000
        guard let section else { return RotaryConfiguration(base: base, scaling: .none) }
        let kind: String = try section.optional("rope_type") ?? section.optional("type") ?? "default"
        switch kind {
        case "default": return RotaryConfiguration(base: base, scaling: .none)
        case "linear": return RotaryConfiguration(base: base, scaling: .linear(factor: try section.required("factor")))
        case "llama3":
            return RotaryConfiguration(base: base, scaling: .llama3(
                factor: try section.required("factor"), lowFrequency: try section.required("low_freq_factor"),
                highFrequency: try section.required("high_freq_factor"), originalContext: try section.required("original_max_position_embeddings")))
        default: throw BadInput(file.path, "rope_type is '\(kind)'; supported: default, linear, llama3")
        }
    }

    // MARK: GGUF

    static func load(_ file: GGUFFile) throws -> LanguageModel {
        let configuration = try configuration(file)
        return try build(configuration, file, Names.gguf) { tensor, role in
            // llama.cpp turns neighbouring pairs where Hugging Face turns halves: its converter reorders the rows of q and k.
            switch role {
            case .query: WeightLoading.weight(unpermuted(try WeightLoading.matrix(tensor), heads: configuration.headCount))
            case .key: WeightLoading.weight(unpermuted(try WeightLoading.matrix(tensor), heads: configuration.keyValueHeadCount))
            default: try WeightLoading.weight(tensor)
            }
        }
    }

    private static func configuration(_ file: GGUFFile) throws -> DecoderConfiguration {
        func integer(_ key: String) throws -> Int { try file.required("llama." + key, file.integer) }
        if let experts = try file.integer("llama.expert_count"), experts > 0 {
            throw BadInput(file.path, "llama.expert_count is \(experts); mixtures of experts are not supported")
        }
        let headCount = try integer("attention.head_count")
        guard headCount > 0 else { throw BadInput(file.path, "llama.attention.head_count is \(headCount); expected at least 1") }
        let hiddenSize = try integer("embedding_length")
        guard let embedding = file.tensor("token_embd.weight") else { throw BadInput(file.path, "the tensor 'token_embd.weight' is missing") }
        let headSize = try file.integer("llama.attention.key_length") ?? hiddenSize / headCount
        let rotaryDimensions = try file.integer("llama.rope.dimension_count") ?? headSize
        guard rotaryDimensions == headSize else {
            throw BadInput(file.path, "llama.rope.dimension_count is \(rotaryDimensions) and heads are \(headSize) wide; partial rotation is not supported")
        }
        let configuration = DecoderConfiguration(
            family: "llama",
            hiddenSize: hiddenSize,
            intermediateSize: try integer("feed_forward_length"),
            layerCount: try integer("block_count"),
            headCount: headCount,
            keyValueHeadCount: try file.integer("llama.attention.head_count_kv") ?? headCount,
            headSize: headSize,
            vocabularySize: embedding.rows,
            contextLength: try integer("context_length"),
            normEpsilon: Float(try file.required("llama.attention.layer_norm_rms_epsilon", file.float)),
            rotary: try rotary(file, headSize: headSize),
            hasTiedHead: file.tensor("output.weight") == nil)
        try configuration.validate(file.path)
        return configuration
    }

    private static func rotary(_ file: GGUFFile, headSize: Int) throws -> RotaryConfiguration {
        let base = Float(try file.float("llama.rope.freq_base") ?? 10_000)
        if let divisors = file.tensor("rope_freqs.weight") {
            guard divisors.elementCount == headSize / 2 else {
                throw BadInput(file.path, "'rope_freqs.weight' has \(divisors.elementCount) elements; heads of \(headSize) need \(headSize / 2)")
            }
            return RotaryConfiguration(base: base, scaling: .divisors(try WeightLoading.matrix(divisors).elements))
        }
        switch try file.string("llama.rope.scaling.type") ?? "none" {
        case "none": return RotaryConfiguration(base: base, scaling: .none)
        case "linear": return RotaryConfiguration(base: base, scaling: .linear(factor: Float(try file.required("llama.rope.scaling.factor", file.float))))
        case let kind: throw BadInput(file.path, "llama.rope.scaling.type is '\(kind)'; supported: none, linear")
        }
    }

    /// Rows (head, pair, half) as GGUF stores them -> (head, half, pair).
    private static func unpermuted(_ matrix: Matrix, heads: Int) -> Matrix {
        let result = Matrix(uninitializedRows: matrix.rows, columns: matrix.columns)
        let half = matrix.rows / heads / 2
        for head in 0..<heads {
            for pair in 0..<half {
                for side in 0..<2 {
                    let target = (head * 2 + side) * half + pair, source = (head * half + pair) * 2 + side
                    result.row(target).update(from: matrix.row(source), count: matrix.columns)
                }
            }
        }
        return result
    }

    // MARK: Both

    enum Role: CaseIterable { case query, key, value, output, gate, up, down }

    /// How a file format calls its tensors.
    private struct Names {
        let embedding: String, head: String, finalNorm: String
        let attentionNorm: @Sendable (Int) -> String
        let feedForwardNorm: @Sendable (Int) -> String
        let linear: @Sendable (Int, Role) -> String

        static let huggingFace = Names(
            embedding: "model.embed_tokens.weight", head: "lm_head.weight", finalNorm: "model.norm.weight",
            attentionNorm: { "model.layers.\($0).input_layernorm.weight" },
            feedForwardNorm: { "model.layers.\($0).post_attention_layernorm.weight" },
            linear: { moduleName($0, $1) + ".weight" })

        static let gguf = Names(
            embedding: "token_embd.weight", head: "output.weight", finalNorm: "output_norm.weight",
            attentionNorm: { "blk.\($0).attn_norm.weight" },
            feedForwardNorm: { "blk.\($0).ffn_norm.weight" },
            linear: { layer, role in
                let name = switch role {
                case .query: "attn_q"
                case .key: "attn_k"
                case .value: "attn_v"
                case .output: "attn_output"
                case .gate: "ffn_gate"
                case .up: "ffn_up"
                case .down: "ffn_down"
                }
                return "blk.\(layer).\(name).weight"
            })
    }

    private static func moduleName(_ layer: Int, _ role: Role) -> String {
        let name = switch role {
        case .query: "self_attn.q_proj"
        case .key: "self_attn.k_proj"
        case .value: "self_attn.v_proj"
        case .output: "self_attn.o_proj"
        case .gate: "mlp.gate_proj"
        case .up: "mlp.up_proj"
        case .down: "mlp.down_proj"
        }
        return "model.layers.\(layer).\(name)"
    }

    /// [outputs, inputs] that the configuration implies.
    private static func shape(_ role: Role, _ c: DecoderConfiguration) -> [Int] {
        switch role {
        case .query: [c.querySize, c.hiddenSize]
        case .key, .value: [c.keyValueSize, c.hiddenSize]
        case .output: [c.hiddenSize, c.querySize]
        case .gate, .up: [c.intermediateSize, c.hiddenSize]
        case .down: [c.hiddenSize, c.intermediateSize]
        }
    }

    private static func build(_ c: DecoderConfiguration, _ source: some WeightSource, _ names: Names,
                              weight: (StoredTensor, Role) throws -> WeightMatrix) throws -> LanguageModel {
        func norm(_ name: String) throws -> Matrix { try WeightLoading.vector(source.require(name, shape: [c.hiddenSize])) }
        func linear(_ layer: Int, _ role: Role) throws -> Linear {
            let tensor = try source.require(names.linear(layer, role), shape: shape(role, c))
            return Linear(name: moduleName(layer, role), weight: try weight(tensor, role))
        }
        let embedding = try WeightLoading.weight(source.require(names.embedding, shape: [c.vocabularySize, c.hiddenSize]))
        let head = c.hasTiedHead
            ? embedding : try WeightLoading.weight(source.require(names.head, shape: [c.vocabularySize, c.hiddenSize]))
        let layers = try (0..<c.layerCount).map { index in
            LanguageModel.Layer(
                attentionNorm: try norm(names.attentionNorm(index)),
                query: try linear(index, .query), key: try linear(index, .key), value: try linear(index, .value),
                output: try linear(index, .output),
                feedForwardNorm: try norm(names.feedForwardNorm(index)),
                gate: try linear(index, .gate), up: try linear(index, .up), down: try linear(index, .down))
        }
        return LanguageModel(configuration: c, embedding: embedding, head: head, layers: layers, finalNorm: try norm(names.finalNorm))
    }
}
