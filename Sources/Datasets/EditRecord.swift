/// A prompt and the text that should follow it.
public struct Question: Sendable, Equatable {
    /// The text that the answer follows.
    public var prompt: String
    /// The text that should follow, without white space around it.
    public var answer: String

    /// `answer` should follow `prompt`.
    public init(prompt: String, answer: String) {
        self.prompt = prompt
        self.answer = answer
    }
}

/// Edits that belong together, and the probes by which they are learned and judged. No white space surrounds an answer: the sequence a model
/// sees is prompt + " " + answer. Places left for the subject in prompts are filled.
public struct EditRecord: Sendable {
    /// The file's own identifier, or the record's number in the file, counted from 1. Unique only if the file's are.
    public var id: String
    /// What the edited fact is about.
    public var subject: String?
    /// Made together; at least one.
    public var edits: [Question]
    /// The answer before the edit, where the data gives it. Some zsRE records have it equal to the new one.
    public var groundTruth: String?
    /// By which the edits are learned and judged.
    public var probes: [Probe]
    /// Where it was read.
    public var origin: RecordOrigin?

    /// At least one edit; probes of any kinds.
    public init(id: String, subject: String?, edits: [Question], groundTruth: String? = nil, probes: [Probe]) {
        precondition(!edits.isEmpty, "a record without an edit")
        self.id = id
        self.subject = subject
        self.edits = edits
        self.groundTruth = groundTruth
        self.probes = probes
    }

    /// One edit with prompts in other words, and unrelated prompts with their own right answers. The new answer should be likelier than the old one,
    /// where there is one, and a neighbour's own likelier than the new one. The first of each is trained on.
    public init(id: String, subject: String?, edit: Question, groundTruth: String?, rephrasings: [String], neighbors: [Question]) {
        let expected = groundTruth.map { Probe.Expectation.answer(edit.answer, over: $0) } ?? .tokens(edit.answer)
        self.init(
            id: id, subject: subject, edits: [edit], groundTruth: groundTruth,
            probes: [Probe(.efficacy, edit.prompt, expected)]
                + rephrasings.enumerated().map { Probe(.generalization, $1, expected, lesson: $0 == 0 ? .follow : nil) }
                + neighbors.enumerated().map { Probe(.specificity, $1.prompt, .answer($1.answer, over: edit.answer), lesson: $0 == 0 ? .keep : nil) })
    }

    /// Judged by the tokens of right answers alone.
    func comparingNothing() -> EditRecord {
        var record = self
        for index in record.probes.indices { record.probes[index].expectation = .tokens(record.probes[index].answer) }
        return record
    }

    /// With the first of the prompts in other words among the edits, not among the probes: made as the edit is, they say nothing of how it holds in
    /// words that it was not made in. Training takes the next for that.
    package func editing(rephrasings count: Int) -> EditRecord {
        guard count > 0 else { return self }
        var record = self
        let moved = probes.indices.filter { probes[$0].kind == .generalization }.prefix(count)
        record.edits += moved.map { Question(prompt: probes[$0].prompt, answer: probes[$0].answer) }
        record.probes = probes.indices.filter { !moved.contains($0) }.map { probes[$0] }
        if record.lessons(.follow).isEmpty, let next = record.probes.firstIndex(where: { $0.kind == .generalization }) { record.probes[next].lesson = .follow }
        return record
    }

    /// What tells an unedited model of the edits, before a prompt: the rival that any editing has.
    package var context: String { edits.map { "New fact: \($0.prompt) \($0.answer).\n" }.joined() + "\n" }

    /// The probes that training takes for this.
    public func lessons(_ lesson: Probe.Lesson) -> [Probe] { probes.filter { $0.lesson == lesson } }

    /// The prompts that are to follow the edit, with the answers that its own are compared with.
    package var oldAnswers: [Question] {
        lessons(.follow).compactMap { probe in
            guard case .answer(_, over: let old) = probe.expectation else { return nil }
            return Question(prompt: probe.prompt, answer: old)
        }
    }

    /// Of the first edit.
    public var prompt: String { edits[0].prompt }
    /// Of the first edit.
    public var target: String { edits[0].answer }
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
        a.id == b.id && a.subject == b.subject && a.edits == b.edits && a.groundTruth == b.groundTruth && a.probes == b.probes
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
