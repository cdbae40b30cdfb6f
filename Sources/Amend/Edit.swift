import Datasets

/// A statement that is to hold from now on: a prompt, and the answer to it.
public struct Edit: Sendable, Equatable {
    /// The text that the answer completes.
    public var prompt: String
    /// Without the space before it.
    public var answer: String

    /// `answer` is to follow `prompt`, after one space.
    public init(_ prompt: String, _ answer: String) {
        self.prompt = prompt
        self.answer = answer
    }

    func record(_ number: Int) -> EditRecord {
        EditRecord(id: "\(number)", subject: nil, edit: Question(prompt: prompt, answer: answer), groundTruth: nil, rephrasings: [], neighbors: [])
    }
}
