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
        "gemma2": Gemma2Family.self, "gemma3_text": Gemma3Family.self, "gemma3": Gemma3MultimodalFamily.self,
    ]

    static let byArchitecture: [String: any ModelFamily.Type] = [
        "gpt2": GPT2Family.self, "llama": LlamaFamily.self, "qwen2": Qwen2Family.self, "gemma2": Gemma2Family.self, "gemma3": Gemma3Family.self,
    ]
}
