/// The class that transformers 5 makes of a directory's tokenizer. `general` takes tokenizer.json as it is. The others are known by name to cut text in
/// a way of their own, for almost all published models the same as tokenizer.json says, and take `add_prefix_space` from tokenizer_config.json.
enum TokenizerClass {
    case general
    case gpt2, qwen2, gemma, llama

    /// - Parameters:
    ///   - modelType: `model_type` of config.json.
    ///   - declared: `tokenizer_class` of tokenizer_config.json, or else of config.json.
    init(modelType: String?, declared: String?) {
        let declared = declared.map { $0.hasSuffix("Fast") ? String($0.dropLast(4)) : $0 }
        let registered: TokenizerClass? =
            switch modelType {
            case "gpt2", "gptj": .gpt2
            case "qwen2": .qwen2
            case "gemma", "gemma2", "gemma3", "gemma3_text": .gemma
            case "mistral": .general
            default: nil
            }
        // Mistral's and Qwen's directories name classes that transformers does not heed.
        if modelType == "mistral" || modelType == "qwen2" {
            self = registered ?? .general
        } else {
            self = declared.map(Self.named) ?? registered ?? .general
        }
    }

    private static func named(_ name: String) -> TokenizerClass {
        switch name {
        case "GPT2Tokenizer": .gpt2
        case "Qwen2Tokenizer": .qwen2
        case "GemmaTokenizer": .gemma
        case "LlamaTokenizer": .llama
        default: .general
        }
    }

    /// The class that is made in the end: not LlamaTokenizer where tokenizer.json is about bytes.
    func applied(to shape: PipelineShape) -> TokenizerClass {
        if case .llama = self, shape.addsPrefixSpace != nil { return .general }
        return self
    }

    var name: String? {
        switch self {
        case .general: nil
        case .gpt2: "GPT2Tokenizer"
        case .qwen2: "Qwen2Tokenizer"
        case .gemma: "GemmaTokenizer"
        case .llama: "LlamaTokenizer"
        }
    }

    /// How the class cuts text, whatever tokenizer.json says.
    var shape: PipelineShape? {
        switch self {
        case .general: nil
        case .gpt2: PipelineShape(normalizer: "", preTokenizer: "ByteLevel(words)")
        case .qwen2: PipelineShape(normalizer: "NFC", preTokenizer: "Split(\(WordPattern.qwen2), Isolated) ByteLevel")
        case .gemma: PipelineShape(normalizer: PipelineShape.marking, preTokenizer: "Split(' ', MergedWithPrevious)")
        case .llama: PipelineShape(normalizer: "", preTokenizer: "Metaspace(first)")
        }
    }

    /// Those that it has where nothing else is named.
    var specialTokens: [String: String] {
        switch self {
        case .general: [:]
        case .gpt2: ["unk_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"]
        case .qwen2: ["unk_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"]
        case .gemma: ["unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "mask_token": "<mask>"]
        case .llama: ["unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"]
        }
    }

    /// Whether special tokens are found however else they are declared.
    var findsSpecialTokensAnywhere: Bool { if case .qwen2 = self { true } else { false } }

    /// Whether byte-level words get a space put before them by `add_prefix_space`, which is then false where it is not given.
    var setsPrefixSpace: Bool {
        switch self {
        case .gpt2, .qwen2: true
        case .general, .gemma, .llama: false
        }
    }
}
