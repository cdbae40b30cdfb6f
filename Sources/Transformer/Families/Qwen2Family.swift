import TensorCore
import WeightFiles

/// Qwen2 and Qwen2.5: Llama with biases on queries, keys and values.
enum Qwen2Family: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        try file.checkArchitecture("Qwen2ForCausalLM")
        let defaults = LlamaFamily.Defaults(vocabularySize: 151_936, intermediateSize: 22_016, keyValueHeadCount: 32, contextLength: 32_768)
        var (configuration, notes) = try LlamaFamily.configuration(file, family: "qwen2", defaults)
        configuration.biases = [.queryKeyValue]
        try addWindows(to: &configuration, file)
        try configuration.validate(file.path)
        try file.refuseUnread(HarmlessKeys.ofRope("rope_parameters") + HarmlessKeys.ofRope("rope_scaling"))
        return try DecoderBuilder(
            configuration, weights, precision,
            StoredForm(names: LlamaFamily.names, moduleName: LlamaFamily.moduleName, sizes: file.sizes), notes: notes
        ).build()
    }

    /// Windows are on where use_sliding_window says so: in the layers that layer_types names, or from max_window_layers on.
    private static func addWindows(to configuration: inout DecoderConfiguration, _ file: ConfigurationFile) throws {
        let sliding = try file.slidingLayers(of: configuration.layerCount), unlimited: Int = try file.value("max_window_layers", absent: 28)
        let isUsed: Bool = try file.value("use_sliding_window", absent: false), window: Int? = try file.optional("sliding_window", absent: 4096)
        guard isUsed, let window else {
            guard sliding?.contains(true) != true else {
                throw BadInput(
                    file.path,
                    "'layer_types' names 'sliding_attention', but "
                        + (isUsed ? "'sliding_window' is null" : "'use_sliding_window' is false"))
            }
            return
        }
        for layer in configuration.attention.indices where sliding?[layer] ?? (layer >= unlimited) {
            guard window > 0 else { throw BadInput(file.path, "the sliding window is \(window) (sliding_window); expected a positive number of tokens, or null") }
            configuration.attention[layer].window = window
        }
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let header = GGUFHeader(file, "qwen2")
        var configuration = try LlamaFamily.configuration(header, family: "qwen2")
        try configuration.validate(file.path)
        try header.refuseUnread()
        configuration.biases = header.biases(of: configuration).union([.queryKeyValue])
        return try DecoderBuilder(
            configuration, file, precision,
            StoredForm(
                names: .gguf, moduleName: LlamaFamily.moduleName, biasesMayLack: true, requiredBiases: [.queryKeyValue], readElsewhere: [GGUFHeader.divisors],
                sizes: header.sizes)
        ).build()
    }
}
