import TensorCore
import WeightFiles

/// GPT-J: attention and feed-forward part side by side on one LayerNorm, rotary embeddings on neighbouring pairs of a head's first elements,
/// a head with a bias.
enum GPTJFamily: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        let activation: String = try file.optional("activation_function") ?? "gelu_new"
        guard ["gelu_new", "gelu_pytorch_tanh"].contains(activation) else {
            throw BadInput(file.path, "activation_function is \(quoted(activation)); a gptj model has 'gelu_new'")
        }
        let hiddenSize: Int = try file.required("n_embd"), headCount: Int = try file.required("n_head")
        guard headCount > 0, hiddenSize % headCount == 0 else {
            throw BadInput(file.path, "n_embd (\(hiddenSize)) is not a multiple of n_head (\(headCount))")
        }
        let headSize = hiddenSize / headCount
        var configuration = DecoderConfiguration(
            family: "gptj", hiddenSize: hiddenSize, intermediateSize: try file.optional("n_inner") ?? 4 &* hiddenSize,  // where it wraps, hiddenSize is refused
            layerCount: try file.layerCount("n_layer"), headCount: headCount, keyValueHeadCount: headCount, headSize: headSize,
            vocabularySize: try file.required("vocab_size"), contextLength: try file.optional("n_positions") ?? 2048,
            hasTiedHead: try file.optional("tie_word_embeddings") ?? false, normEpsilon: try file.optional("layer_norm_epsilon") ?? 1e-5,
            rotaries: [RotaryConfiguration(base: 10_000, dimensions: try file.optional("rotary_dim") ?? headSize, turnsNeighbors: true)],
            attention: try file.layers("n_layer") { _ in .init(scale: 1 / Float(headSize).squareRoot()) })
        configuration.normKind = .layer
        configuration.activation = .geluTanh
        configuration.isGated = false
        configuration.isParallel = true
        configuration.biases = [.feedForward, .head]
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: weights, precision: precision, names: names, moduleName: moduleName).build()
    }

    private static let names = TensorNames(
        embedding: "transformer.wte", head: "lm_head", finalNorm: "transformer.ln_f",
        linear: moduleName, norm: { layer, _ in "transformer.h.\(layer).ln_1" })

    private static func moduleName(_ layer: Int, _ role: LinearRole) -> String {
        let name = switch role {
        case .query: "attn.q_proj"
        case .key: "attn.k_proj"
        case .value: "attn.v_proj"
        case .output: "attn.out_proj"
        case .gate, .up: "mlp.fc_in"
        case .down: "mlp.fc_out"
        }
        return "transformer.h.\(layer).\(name)"
    }
}
