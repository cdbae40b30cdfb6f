import TensorCore
import WeightFiles

/// A model architecture: how its files describe it, and the model made of them.
protocol ModelFamily: SendableMetatype {
    static func load(_ file: ConfigurationFile, _ weights: SafetensorsDirectory, _ precision: WeightPrecision) throws -> LanguageModel
    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel
}

extension ModelFamily {
    static func load(_ file: GGUFFile, _ precision: WeightPrecision) throws -> LanguageModel {
        throw BadInput(file.path, "GGUF files of this family are not supported")
    }
}

/// The families, by what files call them.
enum ModelFamilies {
    static let byModelType: [String: any ModelFamily.Type] = [
        "gpt2": GPT2Family.self, "gptj": GPTJFamily.self, "llama": LlamaFamily.self, "mistral": MistralFamily.self, "qwen2": Qwen2Family.self,
        "gemma2": Gemma2Family.self, "gemma3_text": Gemma3Family.self,
    ]

    static let byArchitecture: [String: any ModelFamily.Type] = [
        "gpt2": GPT2Family.self, "llama": LlamaFamily.self, "qwen2": Qwen2Family.self, "gemma2": Gemma2Family.self, "gemma3": Gemma3Family.self,
    ]
}

/// The keys of a GGUF file that describe an architecture.
struct GGUFHeader {
    let file: GGUFFile
    private let architecture: String

    init(_ file: GGUFFile, _ architecture: String) {
        self.file = file
        self.architecture = architecture
    }

    func key(_ name: String) -> String { architecture + "." + name }

    func integer(_ name: String) throws -> Int { try file.required(key(name), file.integer) }

    /// Sizes and constants, with attention of the usual scale; no rotary embeddings yet.
    func sizes(family: String) throws -> DecoderConfiguration {
        let headCount = try integer("attention.head_count"), hiddenSize = try integer("embedding_length")
        guard headCount > 0 else { throw BadInput(file.path, "\(key("attention.head_count")) is \(headCount); expected at least 1") }
        guard let embedding = file.tensor("token_embd.weight") else { throw BadInput(file.path, "the tensor 'token_embd.weight' is missing") }
        let headSize = try file.integer(key("attention.key_length")) ?? hiddenSize / headCount
        if let values = try file.integer(key("attention.value_length")), values != headSize {
            throw BadInput(file.path, "\(key("attention.value_length")) is \(values) and keys are \(headSize) wide; values must be as wide as keys")
        }
        let layerCount = try integer("block_count")
        guard (1...4096).contains(layerCount) else { throw BadInput(file.path, "\(key("block_count")) is \(layerCount); expected 1 to 4096") }
        let epsilon = try file.float(key("attention.layer_norm_rms_epsilon"))
            ?? file.required(key("attention.layer_norm_epsilon"), file.float)
        return DecoderConfiguration(
            family: family, hiddenSize: hiddenSize, intermediateSize: try integer("feed_forward_length"), layerCount: layerCount, headCount: headCount,
            keyValueHeadCount: try file.integer(key("attention.head_count_kv")) ?? headCount, headSize: headSize, vocabularySize: embedding.rows,
            contextLength: try integer("context_length"), hasTiedHead: file.tensor("output.weight") == nil, normEpsilon: Float(epsilon), rotaries: [],
            attention: (0..<layerCount).map { _ in .init(scale: 1 / Float(headSize).squareRoot()) })
    }

    func rotary(headSize: Int, base: Float = 10_000) throws -> RotaryConfiguration {
        let base = try file.float(key("rope.freq_base")).map { Float($0) } ?? base
        if let divisors = file.tensor("rope_freqs.weight") {
            guard divisors.elementCount == headSize / 2 else {
                throw BadInput(file.path, "'rope_freqs.weight' has \(divisors.elementCount) elements; heads of \(headSize) need \(headSize / 2)")
            }
            return RotaryConfiguration(base: base, scaling: .divisors(try WeightLoader.matrix(divisors).elements), dimensions: headSize)
        }
        switch try file.string(key("rope.scaling.type")) ?? "none" {
        case "none": return RotaryConfiguration(base: base, dimensions: headSize)
        case "linear":
            let factor = Float(try file.required(key("rope.scaling.factor"), file.float))
            return RotaryConfiguration(base: base, scaling: .linear(factor: factor), dimensions: headSize)
        case let kind: throw BadInput(file.path, "\(key("rope.scaling.type")) is \(quoted(kind)); supported: none, linear")
        }
    }
}
