import TensorCore
import WeightFiles

/// Mistral 7B: Llama with a sliding window over the tokens seen, in its first release. Its GGUF files are Llama's.
enum MistralFamily: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        var configuration = try LlamaFamily.configuration(file, family: "mistral")
        let window: Int = try file.optional("sliding_window") ?? 0
        for layer in configuration.attention.indices { configuration.attention[layer].window = window }
        try configuration.validate(file.path)
        return try DecoderBuilder(configuration: configuration, source: weights, precision: precision, names: LlamaFamily.names,
                                  moduleName: LlamaFamily.moduleName).build()
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel { try LlamaFamily.load(file, precision) }
}
