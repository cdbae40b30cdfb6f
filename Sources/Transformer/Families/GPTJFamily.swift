import TensorCore
import WeightFiles

/// GPT-J: attention and feed-forward part side by side on one LayerNorm, rotary embeddings on neighbouring pairs of a head's first elements,
/// a head with a bias.
enum GPTJFamily: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        try file.checkArchitecture("GPTJForCausalLM")
        var configuration = try GPT2Family.sizes(
            file, family: "gptj",
            GPT2Family.Defaults(
                vocabularySize: 50_400, hiddenSize: 4096, layerCount: 28, headCount: 16, contextLength: 2048, hasTiedHead: false))
        configuration.rotaries = [RotaryConfiguration(base: 10_000, dimensions: try file.value("rotary_dim", absent: 64), turnsNeighbors: true)]
        configuration.isParallel = true
        configuration.biases = [.feedForward, .head]
        try configuration.validate(file.path)
        try file.refuseUnread(HarmlessKeys.ofGPTJ)
        return try DecoderBuilder(
            configuration, weights, precision,
            StoredForm(names: names, moduleName: moduleName, harmless: [.masks], sizes: file.sizes)
        ).build()
    }

    private static let names = TensorNames(
        embedding: "transformer.wte", head: "lm_head", finalNorm: "transformer.ln_f",
        linear: moduleName, norm: { layer, _ in "transformer.h.\(layer).ln_1" })

    private static func moduleName(_ layer: Int, _ role: LinearRole) -> String {
        let name =
            switch role {
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
