import Documents
import TensorCore
import WeightFiles

/// Gemma 2: norms before and after each part, soft caps on attention scores and logits, a sliding window in every other layer, scaled
/// embeddings, GeGLU.
enum Gemma2Family: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        try file.checkArchitecture("Gemma2ForCausalLM")
        var configuration = try configuration(
            file, family: "gemma2",
            LlamaFamily.Defaults(
                vocabularySize: 256_000, hiddenSize: 2304, intermediateSize: 9216, layerCount: 26, headCount: 8, keyValueHeadCount: 4, headSize: 256,
                contextLength: 8192, hasTiedHead: true), period: 2)
        configuration.attentionSoftCap = try softCap(file, "attn_logit_softcapping", absent: 50)
        configuration.logitSoftCap = try softCap(file, "final_logit_softcapping", absent: 30)
        let (rotary, notes) = try file.rotary(dimensions: configuration.headSize, contextLength: configuration.contextLength)
        configuration.rotaries = [rotary]
        try configuration.validate(file.path)
        try file.refuseUnread(HarmlessKeys.ofGemma + HarmlessKeys.ofRope("rope_parameters") + HarmlessKeys.ofRope("rope_scaling"))
        return try DecoderBuilder(
            configuration, weights, precision,
            StoredForm(names: names("model.", head: "lm_head"), moduleName: LlamaFamily.moduleName, normOffset: 1, sizes: file.sizes), notes: notes
        ).build()
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let header = GGUFHeader(file, "gemma2")
        // The file does not say the scale; llama.cpp too knows the largest of the family by its depth.
        var configuration = try configuration(header, family: "gemma2", layersOfScaledByHidden: 46)
        addWindows(to: &configuration, window: try header.optionalInteger("attention.sliding_window") ?? 4096) { ($0 + 1) % 2 != 0 }
        configuration.attentionSoftCap = try header.float("attn_logit_softcapping") ?? 50
        configuration.logitSoftCap = try header.float("final_logit_softcapping") ?? 30
        configuration.rotaries = [
            try header.rotary(headSize: configuration.headSize, contextLength: configuration.contextLength, readsDivisors: false)
        ]
        try configuration.validate(file.path)
        try header.checkRotaryDimensions(headSize: configuration.headSize, family: "gemma2")
        try header.refuseUnread([HarmlessKeys(["gemma2.attention.sliding_window_pattern"], only: ["2"], because: "as the architecture has it")])
        return try builder(configuration, file, precision, header).build()
    }

    // MARK: shared with Gemma 3

    /// Of every `period` layers the last sees all tokens, unless layer_types says otherwise.
    static func configuration(_ file: ConfigurationFile, family: String, _ defaults: LlamaFamily.Defaults, period: Int) throws -> DecoderConfiguration {
        let activation: String = try file.value("hidden_activation", absent: "gelu_pytorch_tanh")
        guard GPT2Family.tanhActivations.contains(activation) else {
            throw BadInput(file.path, "hidden_activation is \(quoted(activation)); a \(family) model has 'gelu_pytorch_tanh'")
        }
        for key in ["attention_bias", "use_bidirectional_attention"] where try file.optional(key) ?? false {
            throw BadInput(file.path, "'\(key)' is true; that is not supported for \(family) models")
        }
        var configuration = arranged(try LlamaFamily.sizes(file, family: family, defaults))
        let scalar: Float = try file.value("query_pre_attn_scalar", absent: 256)
        for layer in configuration.attention.indices { configuration.attention[layer].scale = 1 / scalar.squareRoot() }
        let sliding = try file.slidingLayers(of: configuration.layerCount)
        if let window: Int = try file.optional("sliding_window", absent: 4096) {
            guard window > 0 else { throw BadInput(file.path, "the sliding window is \(window) (sliding_window); expected a positive number of tokens") }
            addWindows(to: &configuration, window: window) { sliding?[$0] ?? (($0 + 1) % period != 0) }
        } else if sliding?.contains(true) ?? (period > 1) {
            throw BadInput(file.path, "'sliding_window' is null, but there are layers with a sliding window")
        }
        return configuration
    }

    /// A cap of 0 for none: null says so.
    static func softCap(_ file: ConfigurationFile, _ key: String, absent: Float?) throws -> Float {
        guard let cap: Float = try file.optional(key, absent: absent) else { return 0 }
        guard cap != 0 else { throw BadInput(file.path, "'\(file.name(key))' is 0; expected a positive number, or null for none") }
        return cap
    }

    static func configuration(_ header: GGUFHeader, family: String, layersOfScaledByHidden: Int) throws -> DecoderConfiguration {
        var configuration = arranged(try header.sizes(family: family))
        let isByHidden = configuration.layerCount == layersOfScaledByHidden
        let scalar = isByHidden ? configuration.hiddenSize / configuration.headCount : configuration.headSize
        for layer in configuration.attention.indices { configuration.attention[layer].scale = 1 / Float(scalar).squareRoot() }
        return configuration
    }

    static func addWindows(to configuration: inout DecoderConfiguration, window: Int, where isSliding: (Int) -> Bool) {
        for layer in configuration.attention.indices where isSliding(layer) { configuration.attention[layer].window = window }
    }

    static func builder(_ configuration: DecoderConfiguration, _ file: GGUFFile, _ precision: WeightPrecision, _ header: GGUFHeader) -> DecoderBuilder {
        var configuration = configuration
        configuration.biases = header.biases(of: configuration)
        return DecoderBuilder(
            configuration, file, precision,
            StoredForm(names: .gguf, moduleName: LlamaFamily.moduleName, biasesMayLack: true, sizes: header.sizes))
    }

    private static func arranged(_ configuration: DecoderConfiguration) -> DecoderConfiguration {
        var configuration = configuration
        configuration.activation = .geluTanh
        configuration.hasOutputNorms = true
        configuration.embeddingScale = Float(configuration.hiddenSize).squareRoot()
        return configuration
    }

    static func names(_ prefix: String, head: String) -> TensorNames {
        var names = LlamaFamily.names(prefix, head: head)
        names.norm = { layer, role in
            let name =
                switch role {
                case .input: "input_layernorm"
                case .query: "self_attn.q_norm"
                case .key: "self_attn.k_norm"
                case .attentionOutput: "post_attention_layernorm"
                case .feedForward: "pre_feedforward_layernorm"
                case .feedForwardOutput: "post_feedforward_layernorm"
                }
            return "\(prefix)layers.\(layer).\(name)"
        }
        return names
    }
}
