import Documents
import TensorCore
import WeightFiles

/// Llama 2 and 3 and what shares their architecture (SmolLM2): RMSNorm, rotary embeddings on halves, grouped-query attention, SwiGLU.
/// Mistral, Qwen2 and Gemma build on what this file reads.
enum LlamaFamily: ModelFamily {
    /// What transformers' configuration class has for sizes that config.json leaves out.
    struct Defaults {
        var vocabularySize = 32_000, hiddenSize = 4096, intermediateSize = 11_008, layerCount = 32, headCount = 32
        var keyValueHeadCount: Int?  // nil: as many as heads
        var headSize: Int?  // nil: hiddenSize / headCount
        var contextLength = 2048
        var hasTiedHead = false
    }

    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        try file.checkArchitecture("LlamaForCausalLM", "LLaMAForCausalLM")
        var (configuration, notes) = try configuration(file, family: "llama", Defaults())
        if try file.value("attention_bias", absent: false) { configuration.biases.formUnion([.queryKeyValue, .attentionOutput]) }
        if try file.value("mlp_bias", absent: false) { configuration.biases.insert(.feedForward) }
        try configuration.validate(file.path)
        try file.refuseUnread(HarmlessKeys.ofRope("rope_parameters") + HarmlessKeys.ofRope("rope_scaling"))
        return try DecoderBuilder(
            configuration, weights, precision,
            StoredForm(names: names, moduleName: moduleName, sizes: file.sizes), notes: notes
        ).build()
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let header = GGUFHeader(file, "llama")
        var configuration = try configuration(header, family: "llama")
        try configuration.validate(file.path)
        try header.refuseUnread()
        configuration.biases = header.biases(of: configuration)
        return try DecoderBuilder(
            configuration, file, precision,
            StoredForm(names: .gguf, moduleName: moduleName, permutesPairs: true, biasesMayLack: true, readElsewhere: [GGUFHeader.divisors], sizes: header.sizes)
        ).build()
    }

    // MARK: shared with the families that descend from Llama

    static func configuration(_ file: ConfigurationFile, family: String, _ defaults: Defaults) throws -> (DecoderConfiguration, notes: [String]) {
        let activation: String = try file.value("hidden_act", absent: "silu")
        guard ["silu", "swish"].contains(activation) else {
            throw BadInput(file.path, "hidden_act is \(quoted(activation)); a \(family) model has 'silu'")
        }
        var configuration = try sizes(file, family: family, defaults)
        let (rotary, notes) = try file.rotary(dimensions: configuration.headSize, contextLength: configuration.contextLength)
        configuration.rotaries = [rotary]
        return (configuration, notes)
    }

    /// Sizes and constants, with attention of the usual scale; no rotary embeddings yet.
    static func sizes(_ file: ConfigurationFile, family: String, _ defaults: Defaults) throws -> DecoderConfiguration {
        let hiddenSize: Int = try file.value("hidden_size", absent: defaults.hiddenSize)
        let headCount: Int = try file.value("num_attention_heads", absent: defaults.headCount)
        guard headCount > 0 else { throw BadInput(file.path, "num_attention_heads is \(headCount); expected at least 1") }
        let headSize: Int =
            if let absent = defaults.headSize {
                try file.value("head_dim", absent: absent)
            } else {
                try file.optional("head_dim") ?? hiddenSize / headCount
            }
        return DecoderConfiguration(
            family: family,
            hiddenSize: hiddenSize,
            intermediateSize: try file.value("intermediate_size", absent: defaults.intermediateSize),
            layerCount: try file.layerCount("num_hidden_layers", absent: defaults.layerCount),
            headCount: headCount,
            keyValueHeadCount: try file.optional("num_key_value_heads", absent: defaults.keyValueHeadCount ?? headCount) ?? headCount,
            headSize: headSize,
            vocabularySize: try file.value("vocab_size", absent: defaults.vocabularySize),
            contextLength: try file.value("max_position_embeddings", absent: defaults.contextLength),
            hasTiedHead: try file.value("tie_word_embeddings", absent: defaults.hasTiedHead),
            normEpsilon: try file.value("rms_norm_eps", absent: 1e-6),
            rotaries: [],
            attention: Array(
                repeating: .init(scale: 1 / Float(headSize).squareRoot()),
                count: try file.layerCount("num_hidden_layers", absent: defaults.layerCount)))
    }

    static func configuration(_ header: GGUFHeader, family: String) throws -> DecoderConfiguration {
        let file = header.file
        if let experts = try header.optionalInteger("expert_count"), experts > 0 {
            throw BadInput(file.path, "\(header.key("expert_count")) is \(experts); mixtures of experts are not supported")
        }
        var configuration = try header.sizes(family: family)
        try header.checkRotaryDimensions(headSize: configuration.headSize, family: family)
        configuration.rotaries = [
            try header.rotary(headSize: configuration.headSize, contextLength: configuration.contextLength, readsDivisors: true)
        ]
        // llama.cpp has no windows in these architectures; one that reaches over the whole context is none.
        if let window = try header.optionalInteger("attention.sliding_window"), window != 0, window < configuration.contextLength {
            throw BadInput(file.path, "\(header.key("attention.sliding_window")) is \(window); sliding windows are not supported in GGUF files of this architecture")
        }
        return configuration
    }

    static let names = names("model.", head: "lm_head")

    /// Tensors whose names begin with `prefix`, but for the head.
    static func names(_ prefix: String, head: String) -> TensorNames {
        TensorNames(
            embedding: prefix + "embed_tokens", head: head, finalNorm: prefix + "norm",
            linear: { "\(prefix)layers.\($0).\(part($1))" },
            norm: { "\(prefix)layers.\($0).\($1 == .input ? "input_layernorm" : "post_attention_layernorm")" })
    }

    static func moduleName(_ layer: Int, _ role: LinearRole) -> String { "model.layers.\(layer).\(part(role))" }

    private static func part(_ role: LinearRole) -> String {
        switch role {
        case .query: "self_attn.q_proj"
        case .key: "self_attn.k_proj"
        case .value: "self_attn.v_proj"
        case .output: "self_attn.o_proj"
        case .gate: "mlp.gate_proj"
        case .up: "mlp.up_proj"
        case .down: "mlp.down_proj"
        }
    }
}
