/// The `tokenizer.ggml.*` metadata of a GGUF file, as plain values.
package struct GGUFVocabulary: Sendable {
    /// The file that the values were read from, for error messages.
    package var source: String
    /// `model`: "gpt2" (byte-level merges) or "llama" (SentencePiece with scores).
    package var model: String
    /// `pre`: how a "gpt2" tokenizer cuts text into words.
    package var pre: String?
    /// `tokens`: the text of each id.
    package var tokens: [String]
    /// `token_type` of each id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. All normal if nil.
    package var tokenTypes: [Int32]?
    /// `merges`, best first, each "left right"; used by "gpt2".
    package var merges: [String]
    /// `scores` of each id; needed by "llama".
    package var scores: [Float]?
    /// `bos_token_id`
    package var beginningOfText: Int32?
    /// `eos_token_id`
    package var endOfText: Int32?
    /// `unknown_token_id`
    package var unknown: Int32?
    /// `add_bos_token`. If nil, true for "llama" and for the words of Llama 3 and Tekken, else false.
    package var addBeginningOfText: Bool?
    /// `add_eos_token`. False if nil.
    package var addEndOfText: Bool?
    /// `add_space_prefix`: whether "llama" puts "▁" before a text, as SentencePiece does, and before what follows a control
    /// token in it. True if nil.
    package var addSpacePrefix: Bool?

    /// What a file must have; everything else is set afterwards, if the file has it.
    package init(source: String, model: String, tokens: [String], tokenTypes: [Int32]? = nil, merges: [String] = [], scores: [Float]? = nil) {
        self.source = source
        self.model = model
        self.tokens = tokens
        self.tokenTypes = tokenTypes
        self.merges = merges
        self.scores = scores
    }
}
