import Documents
import TensorCore
import WeightFiles

/// The keys of a GGUF file that describe an architecture, each registered as it is read. What a key means, and what is meant where it is
/// left out, is llama.cpp's to say.
struct GGUFHeader {
    let file: GGUFFile
    private let architecture: String
    private let ledger = KeyLedger()

    init(_ file: GGUFFile, _ architecture: String) {
        self.file = file
        self.architecture = architecture
    }

    func key(_ name: String) -> String { architecture + "." + name }

    /// "llama.embedding_length 32, …": the sizes that were read, for messages.
    var sizes: String { ledger.sizes }

    private func look(_ name: String) -> String {
        ledger.look(key(name))
        return key(name)
    }

    func float(_ name: String) throws -> Float? { try file.float(look(name)).map { Float($0) } }
    func string(_ name: String) throws -> String? { try file.string(look(name)) }
    func bool(_ name: String) throws -> Bool? { try file.bool(look(name)) }
    func bools(_ name: String) throws -> [Bool]? { try file.bools(look(name)) }

    func optionalInteger(_ name: String) throws -> Int? {
        let value = try file.integer(look(name))
        if let value { ledger.note(key(name), "\(value)", isDefault: false) }
        return value
    }

    func integer(_ name: String) throws -> Int {
        guard let value = try optionalInteger(name) else { throw BadInput(file.path, "the metadata lack \(quoted(key(name)))") }
        return value
    }

    /// A number that may be given for each layer, if it is the same for all.
    func uniform(_ name: String, layers: Int) throws -> Int? {
        guard case .integers(let values)? = file.metadata[key(name)] else { return try optionalInteger(name) }
        _ = look(name)
        guard values.count == layers, let first = values.first, values.allSatisfy({ $0 == first }) else {
            throw BadInput(
                file.path,
                "\(key(name)) is an array of \(values.count) numbers, \(Set(values).sorted().prefix(4).map(String.init).joined(separator: ", ")); "
                    + "supported: one number, or the same for each of \(layers) layers")
        }
        ledger.note(key(name), "\(first)", isDefault: false)
        return first
    }

    func requiredUniform(_ name: String, layers: Int) throws -> Int {
        guard let value = try uniform(name, layers: layers) else { throw BadInput(file.path, "the metadata lack \(quoted(key(name)))") }
        return value
    }

    /// Sizes and constants, with attention of the usual scale; no rotary embeddings yet. `epsilon`: the key that the architecture has for it.
    func sizes(family: String, epsilon: String = "attention.layer_norm_rms_epsilon") throws -> DecoderConfiguration {
        let hiddenSize = try integer("embedding_length")
        let layerCount = try integer("block_count")
        let layers = min(max(layerCount, 1), 4096)
        let headCount = try requiredUniform("attention.head_count", layers: layers)
        guard headCount > 0 else { throw BadInput(file.path, "\(key("attention.head_count")) is \(headCount); expected at least 1") }
        guard let embedding = file.tensor("token_embd.weight") else { throw BadInput(file.path, "the tensor 'token_embd.weight' is missing") }
        if let size = try optionalInteger("vocab_size"), size != embedding.rows {
            throw BadInput(file.path, "\(key("vocab_size")) is \(size), but 'token_embd.weight' has \(embedding.rows) rows")
        }
        let headSize = try optionalInteger("attention.key_length") ?? hiddenSize / headCount
        if let values = try optionalInteger("attention.value_length"), values != headSize {
            throw BadInput(file.path, "\(key("attention.value_length")) is \(values) and keys are \(headSize) wide; values must be as wide as keys")
        }
        guard (1...4096).contains(layerCount) else { throw BadInput(file.path, "\(key("block_count")) is \(layerCount); expected 1 to 4096") }
        let other = ["attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"].first { $0 != epsilon } ?? ""
        guard let epsilon = try float(epsilon) ?? float(other) else {
            throw BadInput(file.path, "the metadata lack \(quoted(key("attention.layer_norm_epsilon"))) or \(quoted(key("attention.layer_norm_rms_epsilon")))")
        }
        return DecoderConfiguration(
            family: family, hiddenSize: hiddenSize, intermediateSize: try requiredUniform("feed_forward_length", layers: layerCount), layerCount: layerCount,
            headCount: headCount, keyValueHeadCount: try uniform("attention.head_count_kv", layers: layerCount) ?? headCount, headSize: headSize,
            vocabularySize: embedding.rows, contextLength: try integer("context_length"), hasTiedHead: file.tensor("output.weight") == nil,
            normEpsilon: epsilon, rotaries: [], attention: (0..<layerCount).map { _ in .init(scale: 1 / Float(headSize).squareRoot()) })
    }

    /// Which biases the file has: llama.cpp reads those of attention and feed-forward part wherever they are.
    func biases(of configuration: DecoderConfiguration) -> Set<DecoderConfiguration.Bias> {
        var found: Set<DecoderConfiguration.Bias> = []
        for layer in 0..<configuration.layerCount {
            for role in LinearRole.allCases where file.tensor(TensorNames.gguf.linear(layer, role) + ".bias") != nil { found.insert(role.bias) }
        }
        return found
    }
}

// MARK: rotary embeddings

extension GGUFHeader {
    /// The tensor of a divisor for each frequency, which llama.cpp reads in Llama and Qwen2 files.
    static let divisors = "rope_freqs.weight"

    /// Whole heads are turned: the number of dimensions, if given, says no other.
    func checkRotaryDimensions(headSize: Int, family: String) throws {
        let dimensions = try optionalInteger("rope.dimension_count") ?? headSize
        guard dimensions == headSize else {
            throw BadInput(file.path, "\(key("rope.dimension_count")) is \(dimensions) and heads are \(headSize) wide; a \(family) model turns whole heads")
        }
    }

    func rotary(headSize: Int, contextLength: Int, readsDivisors: Bool) throws -> RotaryConfiguration {
        var result = RotaryConfiguration(base: try float("rope.freq_base") ?? 10_000, dimensions: headSize)
        let factor = try scalingFactor(), original = try float("rope.scaling.original_context_length") ?? Float(contextLength)
        let kind = try string("rope.scaling.type") ?? "linear"  // as llama.cpp has it: a factor of 1 where there is none
        _ = try bool("rope.scaling.finetuned")  // what the weights were trained with
        switch kind {
        case "none": break
        case "linear":
            if file.metadata[key("rope.scaling.type")] != nil { result.scaling = .linear(factor: try required(factor, of: kind)) }
            if let factor { result.scaling = .linear(factor: factor) }
        case "yarn":
            let factor = try required(factor, of: kind)
            result.scaling = .yarn(
                factor: factor, originalContext: original, fast: try float("rope.scaling.yarn_beta_fast") ?? 32,
                slow: try float("rope.scaling.yarn_beta_slow") ?? 1, isTruncated: true)
            result.attentionFactor = RotaryConfiguration.yarnAttentionFactor(factor)
        default: throw BadInput(file.path, "\(key("rope.scaling.type")) is \(quoted(kind)); supported: none, linear, yarn")
        }
        return readsDivisors ? try divided(result, headSize: headSize) : result
    }

    private func required(_ factor: Float?, of kind: String) throws -> Float {
        if let factor { return factor }
        throw BadInput(file.path, "\(key("rope.scaling.type")) is \(quoted(kind)), but the metadata lack \(quoted(key("rope.scaling.factor")))")
    }

    /// `rope.scaling.factor`, which older files call `rope.scale_linear`; 0 stands for none.
    private func scalingFactor() throws -> Float? {
        let factor = try float("rope.scaling.factor"), old = try float("rope.scale_linear")
        if let factor, let old, factor != old {
            throw BadInput(file.path, "\(key("rope.scaling.factor")) is \(factor) and \(key("rope.scale_linear")) is \(old); expected one of them")
        }
        return (factor ?? old).flatMap { $0 == 0 ? nil : $0 }
    }

    private func divided(_ rotary: RotaryConfiguration, headSize: Int) throws -> RotaryConfiguration {
        guard let tensor = file.tensor(Self.divisors) else { return rotary }
        guard tensor.elementCount == headSize / 2 else {
            throw BadInput(file.path, "'\(Self.divisors)' has \(tensor.elementCount) elements; heads of \(headSize) need \(headSize / 2)")
        }
        var rotary = rotary
        let divisors = try WeightLoader.matrix(tensor).elements
        switch rotary.scaling {
        case .none: rotary.scaling = .divisors(divisors)
        case .linear(let factor): rotary.scaling = .divisors(divisors.map { $0 * factor })
        default: throw BadInput(file.path, "\(key("rope.scaling.type")) is 'yarn' and there is a tensor '\(Self.divisors)'; expected one of them")
        }
        return rotary
    }
}

// MARK: what nothing read

extension GGUFHeader {
    /// Throws `BadInput` unless every key of the architecture was read or is harmless, and the file is one of a whole model.
    func refuseUnread(_ harmless: [HarmlessKeys] = []) throws {
        var leftovers = Leftovers()
        let known = harmless + HarmlessKeys.ofEveryGGUF(architecture)
        for (key, value) in file.metadata where isOfAModel(key) && !ledger.hasLooked(at: key) { leftovers.add(key, value: value.text, unless: known) }
        try leftovers.refuse(file.path, "has metadata that are not supported", "they may change what the model computes")
    }

    /// Whether a key is among those that describe a model or its weights. Others (tokenizer.*, split.*, quantize.*, general.name, a tool's own)
    /// describe its text, its parts on disk and its making.
    private func isOfAModel(_ key: String) -> Bool {
        let first = key.prefix { $0 != "." }
        return ["general.type", "general.quantization_version"].contains(key) || ModelFamilies.byArchitecture.keys.contains(String(first))
            || ["adapter", "clip"].contains(first) || first == architecture
    }
}

extension HarmlessKeys {
    /// Metadata keys that change no number which amend computes.
    fileprivate static func ofEveryGGUF(_ architecture: String) -> [HarmlessKeys] {
        func keys(_ names: String...) -> [String] { names.map { architecture + "." + $0 } }
        return [
            HarmlessKeys(["general.type"], only: ["'model'"], because: "the whole of a model"),
            HarmlessKeys(["general.quantization_version"], only: ["2"], because: "the layout of ggml's blocks that are decoded here"),
            HarmlessKeys(keys("tensor_data_layout"), only: ["'Meta AI original pth'"], because: "pairs to be turned are neighbours, as in every Llama file"),
            HarmlessKeys(keys("pooling_type"), because: "of embeddings of whole texts"),
            HarmlessKeys(keys("attention.causal"), only: ["true"], because: "tokens see those before them"),
            HarmlessKeys(keys("use_parallel_residual", "swin_norm"), only: ["false"], because: "the part is absent"),
            HarmlessKeys(
                keys(
                    "expert_count", "expert_used_count", "expert_shared_count", "expert_feed_forward_length", "leading_dense_block_count",
                    "nextn_predict_layers", "attention.clamp_kqv", "attention.max_alibi_bias", "attention.scale", "logit_scale",
                    "attn_logit_softcapping", "final_logit_softcapping", "attention.sliding_window", "attention.shared_kv_layers",
                    "rope.scaling.yarn_log_multiplier"),
                only: ["0"], because: "0: the part is absent"),
            HarmlessKeys(
                keys("embedding_scale", "residual_scale", "rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_ext_factor"),
                only: ["1"], because: "1: as without it"),
            HarmlessKeys(keys("rope.scaling.yarn_beta_fast"), only: ["32"], because: "read with the type that has it"),
            HarmlessKeys(keys("rope.scaling.yarn_beta_slow"), only: ["1"], because: "read with the type that has it"),
        ]
    }

    static let ofGGUFImages = [HarmlessKeys(["gemma3.vision.*", "gemma3.mm.*"], because: "of images; text alone never reaches them")]
}
