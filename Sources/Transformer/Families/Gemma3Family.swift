import TensorCore
import WeightFiles

/// Gemma 3, text only: Gemma 2 without soft caps, with norms of each head's query and key, and another rotary base in layers with a sliding
/// window.
enum Gemma3Family: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        let period: Int = try file.optional("sliding_window_pattern") ?? file.optional("_sliding_window_pattern") ?? 6
        guard period > 0 else { throw BadInput(file.path, "sliding_window_pattern is \(period); expected at least 1") }
        var configuration = try Gemma2Family.configuration(file, family: "gemma3_text", period: period)
        configuration.attentionSoftCap = try file.optional("attn_logit_softcapping") ?? 0
        configuration.logitSoftCap = try file.optional("final_logit_softcapping") ?? 0
        let rotary = try rotary(file, headSize: configuration.headSize)
        arrange(&configuration, global: rotary.global, local: rotary.local)
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: weights, precision: precision, names: Gemma2Family.names,
                                  moduleName: LlamaFamily.moduleName, normOffset: 1).build()
    }

    /// Transformers 5 writes rope_parameters for each kind of layer; earlier releases two bases, and the scaling of the global one.
    private static func rotary(_ file: ConfigurationFile, headSize: Int) throws -> (global: RotaryConfiguration, local: RotaryConfiguration) {
        if let sections = try file.section("rope_parameters"), let full = try sections.section("full_attention") {
            let sliding = try sections.section("sliding_attention")
            return (RotaryConfiguration(base: try full.required("rope_theta"), scaling: try LlamaFamily.scaling(full), dimensions: headSize),
                    RotaryConfiguration(base: try sliding?.optional("rope_theta") ?? 10_000, scaling: try sliding.map(LlamaFamily.scaling) ?? .none,
                                        dimensions: headSize))
        }
        return (RotaryConfiguration(base: try file.optional("rope_theta") ?? 1_000_000,
                                    scaling: try file.section("rope_scaling").map(LlamaFamily.scaling) ?? .none, dimensions: headSize),
                RotaryConfiguration(base: try file.optional("rope_local_base_freq") ?? 10_000, dimensions: headSize))
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let header = GGUFHeader(file, "gemma3")
        var configuration = try Gemma2Family.configuration(header, family: "gemma3_text", period: 6, layersOfScaledByHidden: 62)
        arrange(&configuration, global: try header.rotary(headSize: configuration.headSize, base: 1_000_000),
                local: RotaryConfiguration(base: 10_000, dimensions: configuration.headSize))
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: file, precision: precision, names: .gguf,
                                  moduleName: LlamaFamily.moduleName).build()
    }

    private static func arrange(_ configuration: inout DecoderConfiguration, global: RotaryConfiguration, local: RotaryConfiguration) {
        configuration.hasHeadNorms = true
        configuration.rotaries = [global, local]
        for layer in configuration.attention.indices { configuration.attention[layer].rotary = configuration.attention[layer].window > 0 ? 1 : 0 }
    }
}
