import Documents
import TensorCore
import WeightFiles

/// GPT-2: learned positions, LayerNorm, GELU without gate, biases everywhere, query, key and value in one weight. Hugging Face's files
/// hold linear weights transposed (Conv1D).
enum GPT2Family: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        try file.checkArchitecture("GPT2LMHeadModel")
        let configuration = try configuration(file)
        try file.refuseUnread([])
        // The first releases were saved without the name of the part that they are.
        let prefix = weights.tensor("transformer.wte.weight") == nil && weights.tensor("wte.weight") != nil ? "" : "transformer."
        let names = TensorNames(
            embedding: prefix + "wte", head: "lm_head", finalNorm: prefix + "ln_f", positions: prefix + "wpe",
            linear: { "\(prefix)h.\($0).\(part($1))" },
            norm: { "\(prefix)h.\($0).\($1 == .input ? "ln_1" : "ln_2")" },
            fusedProjection: { "\(prefix)h.\($0).attn.c_attn" })
        return try DecoderBuilder(
            configuration, weights, precision,
            StoredForm(names: names, moduleName: moduleName, isTransposed: true, harmless: [.masks], sizes: file.sizes)
        ).build()
    }

    private static func configuration(_ file: ConfigurationFile) throws -> DecoderConfiguration {
        if try file.value("add_cross_attention", absent: false) { throw BadInput(file.path, "'add_cross_attention' is true; that is not supported") }
        var configuration = arranged(try sizes(file, family: "gpt2", Defaults()))
        let isScaled: Bool = try file.value("scale_attn_weights", absent: true)
        let isScaledByLayer: Bool = try file.value("scale_attn_by_inverse_layer_idx", absent: false)
        for layer in configuration.attention.indices {
            if !isScaled { configuration.attention[layer].scale = 1 }
            if isScaledByLayer { configuration.attention[layer].scale /= Float(layer + 1) }
        }
        try configuration.validate(file.path)
        return configuration
    }

    /// What transformers' configuration class has for sizes that config.json leaves out.
    struct Defaults {
        var vocabularySize = 50_257, hiddenSize = 768, layerCount = 12, headCount = 12, contextLength = 1024
        var hasTiedHead = true
    }

    /// Names of the GELU that is approximated by tanh, which differ in how they are computed alone.
    static let tanhActivations = ["gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python_tanh", "gelu_accurate"]

    /// Sizes and constants by OpenAI's names, with attention of the usual scale: GPT-J has them too, with other defaults.
    static func sizes(_ file: ConfigurationFile, family: String, _ defaults: Defaults) throws -> DecoderConfiguration {
        let activation: String = try file.value("activation_function", absent: "gelu_new")
        guard tanhActivations.contains(activation) else {
            throw BadInput(file.path, "activation_function is \(quoted(activation)); a \(family) model has 'gelu_new'")
        }
        // A size may have the name that other families have for it; transformers lets that one win.
        func key(_ name: String, _ alias: String) -> String { file.has(alias) ? alias : name }
        for (name, alias) in [("n_embd", "hidden_size"), ("n_head", "num_attention_heads"), ("n_layer", "num_hidden_layers"), ("n_positions", "max_position_embeddings")]
        where file.has(alias) {
            _ = try file.optional(name) as Int?
        }
        let hiddenSize: Int = try file.value(key("n_embd", "hidden_size"), absent: defaults.hiddenSize)
        let headCount: Int = try file.value(key("n_head", "num_attention_heads"), absent: defaults.headCount)
        guard headCount > 0, hiddenSize % headCount == 0 else {
            throw BadInput(file.path, "n_embd (\(hiddenSize)) is not a multiple of n_head (\(headCount))")
        }
        let headSize = hiddenSize / headCount, layerCount = try file.layerCount(key("n_layer", "num_hidden_layers"), absent: defaults.layerCount)
        return DecoderConfiguration(
            family: family, hiddenSize: hiddenSize, intermediateSize: try file.optional("n_inner") ?? 4 &* hiddenSize,  // where it wraps, hiddenSize is refused
            layerCount: layerCount, headCount: headCount, keyValueHeadCount: headCount, headSize: headSize,
            vocabularySize: try file.value("vocab_size", absent: defaults.vocabularySize),
            contextLength: try file.value(key("n_positions", "max_position_embeddings"), absent: defaults.contextLength),
            hasTiedHead: try file.value("tie_word_embeddings", absent: defaults.hasTiedHead), normKind: .layer,
            normEpsilon: try file.value("layer_norm_epsilon", absent: 1e-5), activation: .geluTanh, isGated: false, rotaries: [],
            attention: Array(repeating: .init(scale: 1 / Float(headSize).squareRoot()), count: layerCount))
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let header = GGUFHeader(file, "gpt2"), configuration = arranged(try header.sizes(family: "gpt2", epsilon: "attention.layer_norm_epsilon"))
        try configuration.validate(file.path)
        guard configuration.keyValueHeadCount == configuration.headCount, configuration.headSize * configuration.headCount == configuration.hiddenSize else {
            throw BadInput(
                file.path,
                "\(configuration.keyValueHeadCount) key-value heads and \(configuration.headCount) heads of \(configuration.headSize) "
                    + "(\(header.sizes)); in a gpt2 model each head has its own keys, and together they are as wide as the model")
        }
        try header.refuseUnread()
        var names = TensorNames.gguf
        names.fusedProjection = { "blk.\($0).attn_qkv" }
        return try DecoderBuilder(
            configuration, file, precision,
            StoredForm(names: names, moduleName: moduleName, sizes: header.sizes)
        ).build()
    }

    private static func arranged(_ configuration: DecoderConfiguration) -> DecoderConfiguration {
        var configuration = configuration
        configuration.normKind = .layer
        configuration.activation = .geluTanh
        configuration.isGated = false
        configuration.hasLearnedPositions = true
        configuration.biases = [.queryKeyValue, .attentionOutput, .feedForward]
        return configuration
    }

    private static func part(_ role: LinearRole) -> String {
        switch role {
        case .query, .key, .value: "attn.c_attn"
        case .output: "attn.c_proj"
        case .gate, .up: "mlp.c_fc"
        case .down: "mlp.c_proj"
        }
    }

    private static func moduleName(_ layer: Int, _ role: LinearRole) -> String { "transformer.h.\(layer).\(part(role))" }
}
