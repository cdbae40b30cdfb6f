import Documents
import TensorCore
import WeightFiles

/// Gemma 3, text only: Gemma 2 without soft caps, with norms of each head's query and key, and another rotary base in layers with a sliding
/// window.
enum Gemma3Family: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        try file.checkArchitecture("Gemma3ForCausalLM")
        let configuration = try configuration(file)
        try file.refuseUnread(harmless(""))
        return try DecoderBuilder(
            configuration, weights, precision,
            StoredForm(names: Gemma2Family.names("model.", head: "lm_head"), moduleName: LlamaFamily.moduleName, normOffset: 1, sizes: file.sizes)
        ).build()
    }

    static func configuration(_ file: ConfigurationFile) throws -> DecoderConfiguration {
        let pattern: Int? = try file.optional("sliding_window_pattern"), old: Int = try file.value("_sliding_window_pattern", absent: 6), period = pattern ?? 6
        guard period > 0 else { throw BadInput(file.path, "sliding_window_pattern is \(period); expected at least 1") }
        if pattern == nil, old != 6, try file.slidingLayers(of: file.layerCount("num_hidden_layers", absent: 26)) == nil {
            throw BadInput(file.path, "'_sliding_window_pattern' is \(old), which transformers does not read; write it as 'sliding_window_pattern' or as 'layer_types'")
        }
        var configuration = try Gemma2Family.configuration(
            file, family: "gemma3_text",
            LlamaFamily.Defaults(
                vocabularySize: 262_208, hiddenSize: 2304, intermediateSize: 9216, layerCount: 26, headCount: 8, keyValueHeadCount: 4, headSize: 256,
                contextLength: 131_072, hasTiedHead: true), period: period)
        configuration.attentionSoftCap = try Gemma2Family.softCap(file, "attn_logit_softcapping", absent: nil)
        configuration.logitSoftCap = try Gemma2Family.softCap(file, "final_logit_softcapping", absent: nil)
        let rotary = try rotary(file, configuration)
        arrange(&configuration, global: rotary.global, local: rotary.local)
        try configuration.validate(file.path)
        guard configuration.attentionSoftCap == 0 else {
            throw BadInput(
                file.path,
                "'attn_logit_softcapping' is \(configuration.attentionSoftCap); Gemma 3 has no such cap (transformers reads it and applies none): expected null")
        }
        return configuration
    }

    static func harmless(_ prefix: String) -> [HarmlessKeys] {
        let rope = ["rope_parameters.full_attention", "rope_parameters.sliding_attention", "rope_scaling"]
        return HarmlessKeys.ofGemma + rope.flatMap { HarmlessKeys.ofRope(prefix + $0) }
    }

    /// Transformers 5 writes rope_parameters for each kind of layer; earlier releases two bases, and the scaling of the global one, which still
    /// goes over the former where both are there.
    private static func rotary(_ file: ConfigurationFile, _ configuration: DecoderConfiguration) throws
        -> (global: RotaryConfiguration, local: RotaryConfiguration)
    {
        let sections = try file.section("rope_parameters") ?? file.emptySection("rope_parameters")
        let full = try sections.section("full_attention") ?? sections.emptySection("full_attention")
        let sliding = try sections.section("sliding_attention") ?? sections.emptySection("sliding_attention")
        let scaling = try file.section("rope_scaling")
        if let scaling, !scaling.isEmpty, !full.isEmpty {
            throw BadInput(file.path, "'\(file.name("rope_scaling"))' and '\(full.name("*"))' are both there; expected one of them")
        }
        if let scaling, !scaling.isEmpty, !scaling.has("rope_type") {
            throw BadInput(file.path, "'\(scaling.name("rope_type"))' is missing; transformers does not read 'type' in Gemma 3's")
        }
        func rotary(_ section: ConfigurationFile, _ outer: String, absent: Float) throws -> RotaryConfiguration {
            try file.rotary(
                section, base: section.value("rope_theta", absent: file.value(outer, absent: absent)), dimensions: configuration.headSize,
                contextLength: configuration.contextLength, readsTruncate: false)
        }
        return (
            try rotary(scaling.flatMap { $0.isEmpty ? nil : $0 } ?? full, "rope_theta", absent: 1_000_000),
            try rotary(sliding, "rope_local_base_freq", absent: 10_000)
        )
    }

    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        let header = GGUFHeader(file, "gemma3")
        var configuration = try Gemma2Family.configuration(header, family: "gemma3_text", layersOfScaledByHidden: 62)
        configuration.logitSoftCap = try header.float("final_logit_softcapping") ?? 0
        var local = RotaryConfiguration(base: 10_000, dimensions: configuration.headSize)
        // Without a window all layers see all tokens and have the one base.
        if let window = try header.optionalInteger("attention.sliding_window"), window != 0 {
            local.base = try header.float("rope.freq_base_swa") ?? 10_000
            Gemma2Family.addWindows(to: &configuration, window: window, where: try slidingLayers(header, configuration.layerCount))
        }
        arrange(
            &configuration, global: try header.rotary(headSize: configuration.headSize, contextLength: configuration.contextLength, readsDivisors: false),
            local: local)
        try configuration.validate(file.path)
        try header.checkRotaryDimensions(headSize: configuration.headSize, family: "gemma3")
        // llama.cpp would take 10,000; every converter writes the base, which is 1,000,000 in all published models.
        _ = try file.required(header.key("rope.freq_base"), file.float)
        try header.refuseUnread(HarmlessKeys.ofGGUFImages)
        var builder = Gemma2Family.builder(configuration, file, precision, header)
        builder.form.harmless.append(.images)
        return try builder.build()
    }

    /// A period, of which the last layer sees all tokens (6 where the file has none), or a flag for each layer.
    private static func slidingLayers(_ header: GGUFHeader, _ layerCount: Int) throws -> (Int) -> Bool {
        let name = "attention.sliding_window_pattern"
        if case .bools? = header.file.metadata[header.key(name)], let flags = try header.bools(name) {
            guard flags.count == layerCount else {
                throw BadInput(header.file.path, "\(header.key(name)) has \(flags.count) flags; expected one for each of \(layerCount) layers")
            }
            return { flags[$0] }
        }
        let period = try header.optionalInteger(name) ?? 6
        guard period > 0 else { throw BadInput(header.file.path, "\(header.key(name)) is \(period); expected at least 1") }
        return { ($0 + 1) % period != 0 }
    }

    private static func arrange(_ configuration: inout DecoderConfiguration, global: RotaryConfiguration, local: RotaryConfiguration) {
        configuration.hasHeadNorms = true
        configuration.rotaries = [global, local]
        for layer in configuration.attention.indices { configuration.attention[layer].rotary = configuration.attention[layer].window > 0 ? 1 : 0 }
    }
}

/// The text part of a multimodal Gemma 3 release: its configuration is an object of config.json, and its tensors have another prefix, which
/// changed between releases of transformers. What is of images is passed over, for text alone never reaches it.
enum Gemma3MultimodalFamily: ModelFamily {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel {
        try file.checkArchitecture("Gemma3ForConditionalGeneration", "Gemma3ForCausalLM")
        let text = try file.section("text_config") ?? file.emptySection("text_config")
        try text.checkArchitecture("Gemma3ForCausalLM")
        let type: String = try text.value("model_type", absent: "gemma3_text")
        guard type == "gemma3_text" else { throw BadInput(file.path, "'\(text.name("model_type"))' is \(quoted(type)); supported: gemma3_text") }
        var configuration = try Gemma3Family.configuration(text)
        configuration.hasTiedHead = try file.value("tie_word_embeddings", absent: true)
        guard configuration.logitSoftCap == 0 else {
            throw BadInput(
                file.path,
                "'\(text.name("final_logit_softcapping"))' is \(configuration.logitSoftCap); transformers does not apply it in a multimodal model: expected null")
        }
        let inner =
            HarmlessKeys.ofEveryConfiguration.map { HarmlessKeys($0.keys.map { "text_config." + $0 }, only: $0.only, because: $0.reason) }
            + HarmlessKeys.ofGemma.map { HarmlessKeys($0.keys.map { "text_config." + $0 }, only: $0.only, because: $0.reason) }
        try file.refuseUnread(inner + Gemma3Family.harmless("text_config.") + HarmlessKeys.ofImages)
        let prefix = ["model.language_model.", "language_model.model.", "model."].first { weights.tensor($0 + "embed_tokens.weight") != nil }
        let head = weights.tensor("language_model.lm_head.weight") != nil ? "language_model.lm_head" : "lm_head"
        return try DecoderBuilder(
            configuration, weights, precision,
            StoredForm(
                names: Gemma2Family.names(prefix ?? "model.language_model.", head: head), moduleName: LlamaFamily.moduleName, normOffset: 1, harmless: [.images],
                sizes: file.sizes)
        ).build()
    }
}
