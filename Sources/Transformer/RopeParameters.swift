import Documents
import Foundation
import TensorCore
import WeightFiles

/// Rotary embeddings as config.json describes them. Transformers 5 writes rope_parameters; earlier releases rope_theta and rope_scaling,
/// which replaces rope_parameters where a file has both.
extension ConfigurationFile {
    /// One kind of rotary embeddings for all layers, with a note where one key overrules another.
    func rotary(dimensions: Int, contextLength: Int) throws -> (rotary: RotaryConfiguration, notes: [String]) {
        let parameters = try section("rope_parameters"), scaling = try section("rope_scaling").flatMap { $0.isEmpty ? nil : $0 }
        var notes: [String] = []
        if let scaling, let parameters, !parameters.isEmpty {
            parameters.ignoreAll()
            notes.append(
                "\(path): 'rope_scaling' replaces 'rope_parameters', as it does in transformers (base \(try scaling.value("rope_theta", absent: try outerBase())))")
        }
        let section = scaling ?? parameters ?? emptySection("rope_parameters")
        let outer = try outerBase(), base: Float = try section.value("rope_theta", absent: outer)
        if base != outer, has("rope_theta") {
            notes.append("\(path): 'rope_theta' of \(outer) is not used: '\(section.name("rope_theta"))' is \(base)")
        }
        return (try rotary(section, base: base, dimensions: dimensions, contextLength: contextLength, readsTruncate: true), notes)
    }

    private func outerBase() throws -> Float { try value("rope_theta", absent: 10_000) }

    /// The rotary embeddings that a section describes. `contextLength` is max_position_embeddings.
    func rotary(_ section: ConfigurationFile, base: Float, dimensions: Int, contextLength: Int, readsTruncate: Bool) throws -> RotaryConfiguration {
        var result = RotaryConfiguration(base: base, dimensions: dimensions)
        func original() throws -> Float {
            if let outer: Float = try optional("original_max_position_embeddings") { return outer }
            return try section.value("original_max_position_embeddings", absent: Float(contextLength))
        }
        let kind: String = section.has("rope_type") ? try section.required("rope_type") : try section.value("type", absent: "default")
        if section.has("rope_type"), let old: String = try section.optional("type"), old != kind {
            throw BadInput(path, "'\(section.name("rope_type"))' is \(quoted(kind)) and '\(section.name("type"))' is \(quoted(old)); expected one of them")
        }
        switch kind {
        case "default": _ = try section.optional("original_max_position_embeddings") as Float?
        case "linear":
            _ = try section.optional("original_max_position_embeddings") as Float?
            result.scaling = .linear(factor: try section.required("factor"))
        case "dynamic":
            // Frequencies change beyond max_position_embeddings alone, and longer sequences are refused (`LanguageModel.longestSequence`).
            _ = try section.optional("original_max_position_embeddings") as Float?
            let factor: Float = try section.required("factor")
            guard factor.isFinite, factor > 0 else { throw BadInput(path, "the rope scaling factor is \(factor); expected a positive number") }
        case "llama3":
            result.scaling = .llama3(
                factor: try section.required("factor"), lowFrequency: try section.required("low_freq_factor"),
                highFrequency: try section.required("high_freq_factor"), originalContext: try original())
        case "yarn":
            let original = try original()
            guard section.has("factor") else { throw BadInput(path, "'\(section.name("factor"))' is missing") }
            let factor: Float = try section.optional("factor") ?? Float(contextLength) / original
            let fast: Float = try section.optional("beta_fast") ?? 0, slow: Float = try section.optional("beta_slow") ?? 0
            result.scaling = .yarn(
                factor: factor, originalContext: original, fast: fast == 0 ? 32 : fast, slow: slow == 0 ? 1 : slow,
                isTruncated: readsTruncate ? try section.value("truncate", absent: true) : true)
            result.attentionFactor = try yarnAttentionFactor(section, factor: factor)
        default: throw BadInput(path, "\(section.name("rope_type")) is \(quoted(kind)); supported: default, linear, llama3, yarn, dynamic")
        }
        return result
    }

    /// What YaRN multiplies cosines and sines by: 0.1 ln factor + 1, unless the file says otherwise.
    private func yarnAttentionFactor(_ section: ConfigurationFile, factor: Float) throws -> Float {
        func magnitude(_ scale: Float) -> Float { 1 + scale * (RotaryConfiguration.yarnAttentionFactor(factor) - 1) }
        let scale: Float = try section.optional("mscale") ?? 0, ofAll: Float = try section.optional("mscale_all_dim") ?? 0
        if let factor: Float = try section.optional("attention_factor") { return factor }
        return scale != 0 && ofAll != 0 ? magnitude(scale) / magnitude(ofAll) : magnitude(1)
    }
}
