/// A prompt followed by an answer, as token ids.
package struct TokenSequence: Sendable, Equatable {
    package let prompt: [Int32]
    package let answer: [Int32]
    /// What it was made of, for messages.
    package let source: String?
    /// The tokens of the prompt that name what it is about, where that is known.
    package let subject: Range<Int>?
    /// Which of a batch's edits it is about, where that is known.
    package var edit: Int?

    package init(prompt: [Int32], answer: [Int32], subject: Range<Int>? = nil, source: String? = nil) {
        precondition(!prompt.isEmpty && !answer.isEmpty, "a sequence of \(prompt.count) prompt and \(answer.count) answer tokens")
        precondition(subject.map { !$0.isEmpty && $0.upperBound <= prompt.count } ?? true, "a subject outside its prompt")
        self.prompt = prompt
        self.answer = answer
        self.subject = subject
        self.source = source
    }

    /// The tokens that a model reads: the last answer token predicts nothing.
    package var fedCount: Int { prompt.count + answer.count - 1 }
}
