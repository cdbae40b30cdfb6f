/// A prompt and the text that should follow it.
public struct Question: Sendable, Equatable {
    public var prompt: String
    public var answer: String

    public init(prompt: String, answer: String) {
        self.prompt = prompt
        self.answer = answer
    }
}

/// One edit, with what is needed to train on it and to score it. An answer starts without a space: the sequence a model
/// sees is prompt + " " + answer. Records that `DatasetFile` loads have no blank text and, but for a user's own edits, at least one rephrasing.
public struct EditRecord: Sendable, Equatable {
    /// The file's own identifier, or the record's number in the file, counted from 1. Unique only if the file's are.
    public var id: String
    /// What the edited fact is about.
    public var subject: String?
    public var prompt: String
    /// The new answer.
    public var target: String
    /// The answer before the edit, where the data gives it. Some zsRE records have it equal to `target`.
    public var groundTruth: String?
    /// Other prompts that should now get the same answer; the first is the one used for training.
    public var rephrasings: [String]
    /// Unrelated prompts with their own right answers: what must not change.
    public var neighbors: [Question]

    public init(
        id: String, subject: String?, prompt: String, target: String, groundTruth: String?, rephrasings: [String],
        neighbors: [Question]
    ) {
        self.id = id
        self.subject = subject
        self.prompt = prompt
        self.target = target
        self.groundTruth = groundTruth
        self.rephrasings = rephrasings
        self.neighbors = neighbors
    }
}
