import TensorCore
import WeightFiles

/// Llama 2 and 3 and what shares their architecture (SmolLM2): RMSNorm, rotary embeddings on halves, grouped-query attention, SwiGLU.
/// Mistral, Qwen2 and Gemma build on what this file reads.
enum LlamaFamily: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        var configuration = try configuration(file, family: "llama")
        if try file.optional("attention_bias") ?? false { configuration.biases.formUnion([.queryKeyValue, .attentionOutput]) }
        if try file.optional("mlp_bias") ?? false { configuration.biases.insert(.feedForward) }
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: weights, precision: precision, names: names, moduleName: moduleName).build()
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let header = GGUFHeader(file, "llama"), configuration = try configuration(header, family: "llama")
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: file, precision: precision, names: .gguf, moduleName: moduleName,
                                  permutesPairs: true).build()
    }

    // MARK: shared with the families that descend from Llama

    static func configuration(_ file: ConfigurationFile, family: String) throws -> DecoderConfiguration {
        let activation: String = try file.optional("hidden_act") ?? "silu"
        guard activation == "silu" else { throw BadInput(file.path, "hidden_act is \(quoted(activation)); a \(family) model has 'silu'") }
        var configuration = try sizes(file, family: family)
        configuration.rotaries = [try rotary(file, headSize: configuration.headSize)]
        return configuration
    }

    /// Sizes and constants, with attention of the usual scale; no rotary embeddings yet.
    static func sizes(_ file: ConfigurationFile, family: String, hasTiedHead: Bool = false) throws -> DecoderConfiguration {
        let hiddenSize: Int = try file.required("hidden_size"), headCount: Int = try file.required("num_attention_heads")
        guard headCount > 0 else { throw BadInput(file.path, "num_attention_heads is \(headCount); expected at least 1") }
        let headSize: Int = try file.optional("head_dim") ?? hiddenSize / headCount
        return DecoderConfiguration(
            family: family,
            hiddenSize: hiddenSize,
            intermediateSize: try file.required("intermediate_size"),
            layerCount: try file.layerCount("num_hidden_layers"),
            headCount: headCount,
            keyValueHeadCount: try file.optional("num_key_value_heads") ?? headCount,
            headSize: headSize,
            vocabularySize: try file.required("vocab_size"),
            contextLength: try file.optional("max_position_embeddings") ?? 2048,
            hasTiedHead: try file.optional("tie_word_embeddings") ?? hasTiedHead,
            normEpsilon: try file.optional("rms_norm_eps") ?? 1e-6,
            rotaries: [],
            attention: try file.layers("num_hidden_layers") { _ in DecoderConfiguration.Attention(scale: 1 / Float(headSize).squareRoot()) })
    }

    /// Transformers 5 writes rope_parameters; earlier releases rope_theta and rope_scaling.
    static func rotary(_ file: ConfigurationFile, headSize: Int) throws -> RotaryConfiguration {
        let section = try file.section("rope_parameters") ?? file.section("rope_scaling")
        let base: Float = try section?.optional("rope_theta") ?? file.optional("rope_theta") ?? 10_000
        return RotaryConfiguration(base: base, scaling: try section.map { try scaling($0) } ?? .none, dimensions: headSize)
    }

    static func scaling(_ section: ConfigurationFile) throws -> RotaryConfiguration.Scaling {
        let kind: String = try section.optional("rope_type") ?? section.optional("type") ?? "default"
        switch kind {
        case "default": return .none
        case "linear": return .linear(factor: try section.required("factor"))
        case "llama3":
            return .llama3(
                factor: try section.required("factor"), lowFrequency: try section.required("low_freq_factor"),
                highFrequency: try section.required("high_freq_factor"), originalContext: try section.required("original_max_position_embeddings"))
        default: throw BadInput(section.path, "rope_type is \(quoted(kind)); supported: default, linear, llama3")
        }
    }

    static func configuration(_ header: GGUFHeader, family: String) throws -> DecoderConfiguration {
        let file = header.file
        if let experts = try file.integer(header.key("expert_count")), experts > 0 {
            throw BadInput(file.path, "\(header.key("expert_count")) is \(experts); mixtures of experts are not supported")
        }
        var configuration = try header.sizes(family: family)
        let rotaryDimensions = try file.integer(header.key("rope.dimension_count")) ?? configuration.headSize
        guard rotaryDimensions == configuration.headSize else {
            throw BadInput(file.path, "\(header.key("rope.dimension_count")) is \(rotaryDimensions) and heads are \(configuration.headSize) wide; "
                + "a \(family) model turns whole heads")
        }
        configuration.rotaries = [try header.rotary(headSize: configuration.headSize)]
        return configuration
    }

    static let names = TensorNames(
        embedding: "model.embed_tokens", head: "lm_head", finalNorm: "model.norm",
        linear: moduleName,
        norm: { "model.layers.\($0).\($1 == .input ? "input_layernorm" : "post_attention_layernorm")" })

    static func moduleName(_ layer: Int, _ role: LinearRole) -> String {
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
}
