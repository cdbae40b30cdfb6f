import TensorCore
import WeightFiles

/// Gemma 2: norms before and after each part, soft caps on attention scores and logits, a sliding window in every other layer, scaled
/// embeddings, GeGLU.
enum Gemma2Family: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        var configuration = try configuration(file, family: "gemma2", period: 2)
        configuration.attentionSoftCap = try file.optional("attn_logit_softcapping") ?? 0
        configuration.logitSoftCap = try file.optional("final_logit_softcapping") ?? 0
        configuration.rotaries = [try LlamaFamily.rotary(file, headSize: configuration.headSize)]
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: weights, precision: precision, names: names,
                                  moduleName: LlamaFamily.moduleName, normOffset: 1).build()
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let header = GGUFHeader(file, "gemma2")
        // The file does not say the scale; llama.cpp too knows the largest of the family by its depth.
        var configuration = try configuration(header, family: "gemma2", period: 2, layersOfScaledByHidden: 46)
        configuration.attentionSoftCap = Float(try file.float(header.key("attn_logit_softcapping")) ?? 50)
        configuration.logitSoftCap = Float(try file.float(header.key("final_logit_softcapping")) ?? 30)
        configuration.rotaries = [try header.rotary(headSize: configuration.headSize)]
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: file, precision: precision, names: .gguf,
                                  moduleName: LlamaFamily.moduleName).build()
    }

    // MARK: shared with Gemma 3

    /// Of every `period` layers the last sees all tokens, unless layer_types says otherwise.
    static func configuration(_ file: ConfigurationFile, family: String, period: Int) throws -> DecoderConfiguration {
        let activation: String = try file.optional("hidden_activation") ?? file.optional("hidden_act") ?? "gelu_pytorch_tanh"
        guard activation == "gelu_pytorch_tanh" else {
            throw BadInput(file.path, "hidden_activation is \(quoted(activation)); a \(family) model has 'gelu_pytorch_tanh'")
        }
        for key in ["attention_bias", "use_bidirectional_attention"] where try file.optional(key) ?? false {
            throw BadInput(file.path, "'\(key)' is true; that is not supported for \(family) models")
        }
        var configuration = arranged(try LlamaFamily.sizes(file, family: family, hasTiedHead: true))
        let scalar: Float = try file.optional("query_pre_attn_scalar") ?? 256
        let window: Int = try file.optional("sliding_window") ?? 4096
        let sliding = try file.slidingLayers(of: configuration.layerCount)
        for layer in configuration.attention.indices {
            let isSliding = sliding?[layer] ?? ((layer + 1) % period != 0)
            configuration.attention[layer] = .init(scale: 1 / scalar.squareRoot(), window: isSliding ? window : 0)
        }
        return configuration
    }

    static func configuration(_ header: GGUFHeader, family: String, period: Int, layersOfScaledByHidden: Int) throws -> DecoderConfiguration {
        var configuration = arranged(try header.sizes(family: family))
        let isByHidden = configuration.layerCount == layersOfScaledByHidden
        let scalar = isByHidden ? configuration.hiddenSize / configuration.headCount : configuration.headSize
        let window = try header.file.integer(header.key("attention.sliding_window")) ?? 4096
        for layer in configuration.attention.indices {
            configuration.attention[layer] = .init(scale: 1 / Float(scalar).squareRoot(), window: (layer + 1) % period != 0 ? window : 0)
        }
        return configuration
    }

    private static func arranged(_ configuration: DecoderConfiguration) -> DecoderConfiguration {
        var configuration = configuration
        configuration.activation = .geluTanh
        configuration.hasOutputNorms = true
        configuration.embeddingScale = Float(configuration.hiddenSize).squareRoot()
        return configuration
    }

    static let names: TensorNames = {
        var names = LlamaFamily.names
        names.norm = { layer, role in
            let name = switch role {
            case .input: "input_layernorm"
            case .query: "self_attn.q_norm"
            case .key: "self_attn.k_norm"
            case .attentionOutput: "post_attention_layernorm"
            case .feedForward: "pre_feedforward_layernorm"
            case .feedForwardOutput: "post_feedforward_layernorm"
            }
            return "model.layers.\(layer).\(name)"
        }
        return names
    }()
}
