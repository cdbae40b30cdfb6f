import TensorCore
import WeightFiles

/// Qwen2 and Qwen2.5: Llama with biases on queries, keys and values.
enum Qwen2Family: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        var configuration = try LlamaFamily.configuration(file, family: "qwen2")
        configuration.biases = [.queryKeyValue]
        let sliding = try file.slidingLayers(of: configuration.layerCount)
        if try file.optional("use_sliding_window") ?? false, let window: Int = try file.optional("sliding_window") {
            let unlimited: Int = try file.optional("max_window_layers") ?? 28
            for layer in configuration.attention.indices where sliding?[layer] ?? (layer >= unlimited) {
                configuration.attention[layer].window = window
            }
        }
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: weights, precision: precision, names: LlamaFamily.names,
                                  moduleName: LlamaFamily.moduleName).build()
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        var configuration = try LlamaFamily.configuration(GGUFHeader(file, "qwen2"), family: "qwen2")
        configuration.biases = [.queryKeyValue]
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: file, precision: precision, names: .gguf,
                                  moduleName: LlamaFamily.moduleName).build()
    }
}
