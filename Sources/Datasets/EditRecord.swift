/// A prompt and the text that should follow it.
public struct Question: Sendable, Equatable {
    public var prompt: String
    public var answer: String

    public init(prompt: String, answer: String) {
        self.prompt = prompt
        self.answer = answer
    }
}

/// One edit, with what is needed to train on it and to score it. No white space surrounds an answer: the sequence a model
/// sees is prompt + " " + answer. Places left for the subject in prompts are filled. Records that `DatasetFile` loads have no
/// blank text and, but for a user's own edits, at least one rephrasing.
public struct EditRecord: Sendable {
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
    /// Where it was read.
    public var origin: RecordOrigin?

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

/// Where a record was read.
public struct RecordOrigin: Sendable {
    /// The file, as a message names it.
    public let file: String
    /// Counted from 1.
    public let number: Int
}

extension EditRecord: Equatable {
    /// Where records were read does not matter.
    public static func == (a: EditRecord, b: EditRecord) -> Bool {
        a.id == b.id && a.subject == b.subject && a.prompt == b.prompt && a.target == b.target && a.groundTruth == b.groundTruth
            && a.rephrasings == b.rephrasings && a.neighbors == b.neighbors
    }
}

extension EditRecord {
    /// For messages: its identifier, and its number in the file where that is another.
    public var label: String {
        let number = origin.flatMap { String($0.number) == id ? nil : " (number \($0.number))" } ?? ""
        return "record '\(excerpt(id))'\(number)"
    }

    /// The label and the beginning of the prompt.
    public var name: String { "\(label), '\(excerpt(prompt))'" }

    /// The name, after the file where there is one.
    public var place: String { origin.map { "\($0.file), \(name)" } ?? name }
}
