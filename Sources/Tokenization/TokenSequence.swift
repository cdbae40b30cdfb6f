/// A prompt followed by an answer, as token ids.
public struct TokenSequence: Sendable, Equatable {
    public let prompt: [Int32]
    public let answer: [Int32]
    /// What it was made of, for messages.
    public let source: String?

    public init(prompt: [Int32], answer: [Int32], source: String? = nil) {
        precondition(!prompt.isEmpty && !answer.isEmpty, "a sequence of \(prompt.count) prompt and \(answer.count) answer tokens")
        self.prompt = prompt
        self.answer = answer
        self.source = source
    }

    /// The tokens that a model reads: the last answer token predicts nothing.
    public var fedCount: Int { prompt.count + answer.count - 1 }
}
