/// The `tokenizer.ggml.*` metadata of a GGUF file, as plain values.
public struct GGUFVocabulary: Sendable {
    /// The file that the values were read from, for error messages.
    public var source: String
    /// `model`: "gpt2" (byte-level merges) or "llama" (SentencePiece with scores).
    public var model: String
    /// `pre`: how a "gpt2" tokenizer cuts text into words.
    public var pre: String?
    /// `tokens`: the text of each id.
    public var tokens: [String]
    /// `token_type` of each id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. All normal if nil.
    public var tokenTypes: [Int32]?
    /// `merges`, best first, each "left right"; used by "gpt2".
    public var merges: [String]
    /// `scores` of each id; needed by "llama".
    public var scores: [Float]?
    /// `bos_token_id`
    public var beginningOfText: Int32?
    /// `eos_token_id`
    public var endOfText: Int32?
    /// `unknown_token_id`
    public var unknown: Int32?
    /// `add_bos_token`. If nil, true for "llama" and for the words of Llama 3 and Tekken, else false.
    public var addBeginningOfText: Bool?
    /// `add_eos_token`. False if nil.
    public var addEndOfText: Bool?
    /// `add_space_prefix`: whether "llama" puts "▁" before a text, as SentencePiece does, and before what follows a control
    /// token in it. True if nil.
    public var addSpacePrefix: Bool?

    public init(
        source: String, model: String, pre: String? = nil, tokens: [String], tokenTypes: [Int32]? = nil,
        merges: [String] = [], scores: [Float]? = nil, beginningOfText: Int32? = nil, endOfText: Int32? = nil,
        unknown: Int32? = nil, addBeginningOfText: Bool? = nil, addEndOfText: Bool? = nil, addSpacePrefix: Bool? = nil
    ) {
        self.source = source
        self.model = model
        self.pre = pre
        self.tokens = tokens
        self.tokenTypes = tokenTypes
        self.merges = merges
        self.scores = scores
        self.beginningOfText = beginningOfText
        self.endOfText = endOfText
        self.unknown = unknown
        self.addBeginningOfText = addBeginningOfText
        self.addEndOfText = addEndOfText
        self.addSpacePrefix = addSpacePrefix
    }
}
