import TensorCore
import WeightFiles

/// GPT-2: learned positions, LayerNorm, GELU without gate, biases everywhere, query, key and value in one weight. Hugging Face's files
/// hold linear weights transposed (Conv1D).
enum GPT2Family: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        let configuration = try configuration(file)
        // The first releases were saved without the name of the part that they are.
        let prefix = weights.tensor("transformer.wte.weight") == nil && weights.tensor("wte.weight") != nil ? "" : "transformer."
        let names = TensorNames(
            embedding: prefix + "wte", head: "lm_head", finalNorm: prefix + "ln_f", positions: prefix + "wpe",
            linear: { "\(prefix)h.\($0).\(part($1))" },
            norm: { "\(prefix)h.\($0).\($1 == .input ? "ln_1" : "ln_2")" },
            fusedProjection: { "\(prefix)h.\($0).attn.c_attn" })
        return try DecoderBuilder(configuration: configuration, source: weights, precision: precision, names: names, moduleName: moduleName,
                                  isTransposed: true).build()
    }

    private static func configuration(_ file: ConfigurationFile) throws -> DecoderConfiguration {
        if try file.optional("add_cross_attention") ?? false { throw BadInput(file.path, "'add_cross_attention' is true; that is not supported") }
        var configuration = arranged(try sizes(file, family: "gpt2", contextLength: 1024, hasTiedHead: true))
        let isScaled: Bool = try file.optional("scale_attn_weights") ?? true
        let isScaledByLayer: Bool = try file.optional("scale_attn_by_inverse_layer_idx") ?? false
        for layer in configuration.attention.indices {
            if !isScaled { configuration.attention[layer].scale = 1 }
            if isScaledByLayer { configuration.attention[layer].scale /= Float(layer + 1) }
        }
        try configuration.validate(file.path)
        return configuration
    }

    /// Sizes and constants by OpenAI's names, with attention of the usual scale: GPT-J has them too, with other defaults.
    static func sizes(_ file: ConfigurationFile, family: String, contextLength: Int, hasTiedHead: Bool) throws -> DecoderConfiguration {
        let activation: String = try file.optional("activation_function") ?? "gelu_new"
        guard ["gelu_new", "gelu_pytorch_tanh"].contains(activation) else {
            throw BadInput(file.path, "activation_function is \(quoted(activation)); a \(family) model has 'gelu_new'")
        }
        let hiddenSize: Int = try file.required("n_embd"), headCount: Int = try file.required("n_head")
        guard headCount > 0, hiddenSize % headCount == 0 else {
            throw BadInput(file.path, "n_embd (\(hiddenSize)) is not a multiple of n_head (\(headCount))")
        }
        let headSize = hiddenSize / headCount
        return DecoderConfiguration(
            family: family, hiddenSize: hiddenSize, intermediateSize: try file.optional("n_inner") ?? 4 &* hiddenSize,  // where it wraps, hiddenSize is refused
            layerCount: try file.layerCount("n_layer"), headCount: headCount, keyValueHeadCount: headCount, headSize: headSize,
            vocabularySize: try file.required("vocab_size"), contextLength: try file.optional("n_positions") ?? contextLength,
            hasTiedHead: try file.optional("tie_word_embeddings") ?? hasTiedHead, normKind: .layer,
            normEpsilon: try file.optional("layer_norm_epsilon") ?? 1e-5, activation: .geluTanh, isGated: false, rotaries: [],
            attention: try file.layers("n_layer") { _ in .init(scale: 1 / Float(headSize).squareRoot()) })
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let configuration = arranged(try GGUFHeader(file, "gpt2").sizes(family: "gpt2"))
        try configuration.validate(file.path)
        var names = TensorNames.gguf
        names.fusedProjection = { "blk.\($0).attn_qkv" }
        return try DecoderBuilder(configuration: configuration, source: file, precision: precision, names: names, moduleName: moduleName).build()
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
