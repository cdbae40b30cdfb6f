import TensorCore
import Tokenization

/// The prompts of one edit batch as micro-batches of token sequences: what to edit, the rephrasings that should follow, and
/// unrelated prompts that should not. Each kind is sorted by length, longest first (stable), then cut into micro-batches.
package struct EditBatch: Sendable {
    package let edits: [[TokenSequence]]
    package let rephrasings: [[TokenSequence]]
    package let unrelated: [[TokenSequence]]
    /// The edits once more, with other text before them.
    package var prefixed: [[TokenSequence]] = []
    /// The edits' prompts with other subjects in them, each followed by the edit's answer.
    package let contrasts: [[TokenSequence]]
    /// The unrelated prompts with an edit's answer behind them, which should not become likelier there.
    package var bleed: [[TokenSequence]] = []
    /// The rephrasings with the old answer behind them, which should become less likely there, of records that have one.
    package var oldAnswers: [[TokenSequence]] = []
    /// Plain text that should stay as it is.
    package var text: [[TokenSequence]] = []
    /// Of each edit its subject followed by "is a", which should go on as it does, where the subject is known.
    package var essences: [[TokenSequence]] = []
    package let editCount: Int

    /// How records become sequences.
    package struct Form: Sendable {
        /// Sequences of a micro-batch.
        package var microBatch: Int
        /// What contrasts with edits, if anything should.
        package var contrast: ContrastPrompts?
        /// What comes before edits, if anything should.
        package var prefixes: Prefixes?
        /// Whether the text ends after an edit's answer.
        package var endsText = false
        /// Whether it is wanted where in an edit's prompt its subject is.
        package var marksSubjects = false
        /// Whether it is wanted what the subjects are said to be.
        package var hasEssences = false
        /// Whether the unrelated prompts are wanted with an edit's answer behind them too.
        package var hasBleed = false
        /// Whether the rephrasings are wanted with the old answers behind them too.
        package var hasOldAnswers = false

        package init(microBatch: Int) { self.microBatch = microBatch }
    }

    /// Takes each record's edits, and the probes that it is trained on.
    package init(records: [EditRecord], tokenizer: Tokenizer, _ form: Form) throws {
        func microBatches(_ questions: (EditRecord) -> [Question]) throws -> [[TokenSequence]] {
            Self.cut(try records.flatMap { record in try questions(record).map { try TokenSequence($0, tokenizer, of: record) } }, form.microBatch)
        }
        func edits(_ questions: (EditRecord) -> [(Question, subject: String?, edit: Int)]) throws -> [[TokenSequence]] {
            let end = form.endsText ? tokenizer.endOfText : nil
            var first = 0
            let sequences = try records.flatMap { record in
                defer { first += record.edits.count }
                return try questions(record).map { question, subject, edit in
                    var sequence = try TokenSequence(question, about: form.marksSubjects ? subject : nil, endingWith: end, tokenizer, of: record)
                    sequence.edit = first + edit
                    return sequence
                }
            }
            return Self.cut(sequences, form.microBatch)
        }
        func lessons(_ lesson: Probe.Lesson) -> (EditRecord) -> [Question] { { $0.lessons(lesson).map { Question(prompt: $0.prompt, answer: $0.answer) } } }
        func bleed(_ record: EditRecord) -> [Question] {
            record.lessons(.keep).map { probe in
                guard case .answer(_, over: let wrong) = probe.expectation else { return Question(prompt: probe.prompt, answer: record.target) }
                return Question(prompt: probe.prompt, answer: wrong)
            }
        }
        func contrasts(_ record: EditRecord) -> [(Question, subject: String?, edit: Int)] {
            record.edits.enumerated().flatMap { index, edit in
                (form.contrast?.prompts(for: edit, subject: record.subject) ?? []).map { (Question(prompt: $0.text, answer: edit.answer), $0.subject, index) }
            }
        }
        /// Each edit with its subject, behind each of the prompts that `prompts` makes of it and its subject.
        func own(_ record: EditRecord, _ prompts: (Question, String?) -> [String]) -> [(Question, subject: String?, edit: Int)] {
            record.edits.enumerated().flatMap { index, edit in
                let subject = SubjectSpan.subject(of: edit.prompt, given: record.subject)
                return prompts(edit, subject).map { (Question(prompt: $0, answer: edit.answer), subject, index) }
            }
        }
        self.init(
            edits: try edits { own($0) { edit, _ in [edit.prompt] } },
            rephrasings: try microBatches(lessons(.follow)), unrelated: try microBatches(lessons(.keep)), contrasts: try edits(contrasts))
        if let prefixes = form.prefixes { prefixed = try edits { own($0) { edit, _ in prefixes.prompts(for: edit) } } }
        if form.hasEssences { essences = try edits { own($0) { _, subject in subject.map { ["\($0) is a"] } ?? [] } } }
        if form.hasBleed { self.bleed = try microBatches(bleed) }
        if form.hasOldAnswers { self.oldAnswers = try microBatches(\.oldAnswers) }
    }

    /// Micro-batches as they are.
    package init(edits: [[TokenSequence]], rephrasings: [[TokenSequence]], unrelated: [[TokenSequence]], contrasts: [[TokenSequence]] = []) {
        self.edits = edits
        self.rephrasings = rephrasings
        self.unrelated = unrelated
        self.contrasts = contrasts
        editCount = edits.reduce(0) { $0 + $1.count }
    }

    private static func cut(_ sequences: [TokenSequence], _ size: Int) -> [[TokenSequence]] {
        let sorted = sequences.enumerated().sorted {
            ($1.element.fedCount, $0.offset) < ($0.element.fedCount, $1.offset)
        }.map(\.element)
        return stride(from: 0, to: sorted.count, by: size).map { Array(sorted[$0..<min(sorted.count, $0 + size)]) }
    }
}

extension TokenSequence {
    /// Prompt ids with the tokenizer's special prefix, then the ids of " " + answer without specials, and `end`. With a `subject` it is known where in the prompt that is.
    package init(_ question: Question, about subject: String? = nil, endingWith end: Int32? = nil, _ tokenizer: Tokenizer, of record: EditRecord) throws {
        let (prompt, answer) = (question.prompt, question.answer)
        let promptIDs = tokenizer.encode(prompt, addSpecialTokens: true), answerIDs = tokenizer.encodeContinuation(answer)
        guard !promptIDs.isEmpty, !answerIDs.isEmpty else {
            throw BadInput(record.place, "the \(promptIDs.isEmpty ? "prompt '\(excerpt(prompt))'" : "answer '\(excerpt(answer))'") has no tokens")
        }
        self.init(
            prompt: promptIDs, answer: answerIDs + (end.map { [$0] } ?? []), subject: subject.flatMap { SubjectSpan.tokens(of: $0, in: prompt, promptIDs, tokenizer) },
            source: record.label)
    }
}
