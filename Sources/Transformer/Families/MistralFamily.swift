import TensorCore
import WeightFiles

/// Mistral 7B: Llama with a sliding window over the tokens seen, in its first release. Its GGUF files are Llama's.
enum MistralFamily: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        try file.checkArchitecture("MistralForCausalLM")
        let defaults = LlamaFamily.Defaults(intermediateSize: 14_336, keyValueHeadCount: 8, contextLength: 131_072)
        var (configuration, notes) = try LlamaFamily.configuration(file, family: "mistral", defaults)
        if let window: Int = try file.optional("sliding_window", absent: 4096) {
            guard window > 0 else { throw BadInput(file.path, "the sliding window is \(window) (sliding_window); expected a positive number of tokens, or null") }
            for layer in configuration.attention.indices { configuration.attention[layer].window = window }
        }
        try configuration.validate(file.path)
        try file.refuseUnread(HarmlessKeys.ofRope("rope_parameters") + HarmlessKeys.ofRope("rope_scaling"))
        return try DecoderBuilder(
            configuration, weights, precision,
            StoredForm(names: LlamaFamily.names, moduleName: LlamaFamily.moduleName, sizes: file.sizes), notes: notes
        ).build()
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel { try LlamaFamily.load(file, precision) }
}
