// What the forms of edits have in common: prompts that may leave a place for the subject, and answers.
//
// An answer follows its prompt after one space, "prompt" + " " + "answer": white space around an answer and spaces at the end of a
// prompt are dropped, or there would be two.

extension RecordFields {
    /// `subject`, or nil if it is absent, null or blank.
    func subject() throws -> String? {
        try optionalText("subject").flatMap { isBlank($0) ? nil : $0 }
    }

    /// A prompt about the subject, which fills the places left for it; see ``Placeholder``.
    func prompt(_ key: String, about subject: String?) throws -> String {
        droppingFinalSpaces(try Placeholder.filled(text(key), key: path(key), subject: subject))
    }

    /// Prompts about the subject: at least one unless there are `possiblyNone`, and a lone text counts as a list of one.
    func prompts(_ key: String, about subject: String?, possiblyNone: Bool = false) throws -> [String] {
        let templates = try possiblyNone && isList(key) ? listOfTexts(key) : texts(key)
        return try templates.map { droppingFinalSpaces(try Placeholder.filled($0, key: path(key), subject: subject)) }
    }

    /// A prompt about something else, which must not leave a place for the subject.
    func unrelatedPrompt(_ key: String) throws -> String {
        droppingFinalSpaces(try Placeholder.unrelated(text(key), key: path(key)))
    }

    func unrelatedPrompts(_ key: String) throws -> [String] {
        try listOfTexts(key).map { droppingFinalSpaces(try Placeholder.unrelated($0, key: path(key))) }
    }

    /// The new answer of an edit: `target` or `target_new`, text or {"str": text}.
    func target() throws -> String {
        guard has("target") || has("target_new") else { throw missing("target", "target_new") }
        guard isGiven("target"), isGiven("target_new") else {
            return try answerOrObject(isGiven("target_new") || !has("target") ? "target_new" : "target")
        }
        let target = try answerOrObject("target"), other = try answerOrObject("target_new")
        guard target.utf8.elementsEqual(other.utf8) else {
            throw RecordError("has a 'target', '\(excerpt(target))', and a 'target_new', '\(excerpt(other))'; expected one of them")
        }
        return target
    }

    /// The answer before the edit, where it is given: `ground_truth` or `target_true`.
    func groundTruth() throws -> String? {
        try optionalAnswer("ground_truth") ?? optionalAnswer("target_true")
    }

    /// Text, or {"str": text} as in CounterFact.
    func answerOrObject(_ key: String) throws -> String {
        if isObject(key) { return try object(key).answer("str") }
        guard isText(key) else { throw wrongType(key, expected: #"text or {"str": text}"#) }
        return try answer(key)
    }

    /// As `answerOrObject`, or the first of a list of answers, which are spellings of one: nil if it is absent, null, blank or an empty list.
    func optionalAnswer(_ key: String) throws -> String? {
        guard isGiven(key) else { return nil }
        return isList(key) ? try answers(key).lazy.compactMap(\.self).first : try answerOrObject(key)
    }
}
