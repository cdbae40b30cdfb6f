/// A prompt followed by an answer, as token ids.
package struct TokenSequence: Sendable, Equatable {
    package let prompt: [Int32]
    package let answer: [Int32]
    /// What it was made of, for messages.
    package let source: String?

    package init(prompt: [Int32], answer: [Int32], source: String? = nil) {
        precondition(!prompt.isEmpty && !answer.isEmpty, "a sequence of \(prompt.count) prompt and \(answer.count) answer tokens")
        self.prompt = prompt
        self.answer = answer
        self.source = source
    }

    /// The tokens that a model reads: the last answer token predicts nothing.
    package var fedCount: Int { prompt.count + answer.count - 1 }
}
