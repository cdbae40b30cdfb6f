extension DatasetFormat {
    /// RippleEdits (arXiv 2307.12976): an edit, and what else should change or stay with it.
    package static let rippleedits = DatasetFormat("rippleedits", isRecognized: { $0.isObject("edit") }, read: { try RippleEdits.record(from: $0, number: $1) })
}

/// RippleEdits records. A test counts where the unedited model answers its condition queries, and holds where one of its queries is answered, or all, as it says. What is popular or made up says
/// nothing of what came before: then there is no old answer.
enum RippleEdits {
    /// Each criterion by its key, and as reports name it.
    private static let criteria = [
        ("Logical_Generalization", "logical-generalization"), ("Compositionality_I", "compositionality-1"), ("Compositionality_II", "compositionality-2"),
        ("Subject_Aliasing", "subject-aliasing"), ("Forgetfulness", "preservation"), ("Relation_Specificity", "relation-specificity"),
    ]

    static func record(from fields: RecordFields, number: Int) throws -> EditRecord {
        let edit = try fields.object("edit"), old = edit.isGiven("original_fact") ? try edit.object("original_fact").text("prompt") : nil
        let statement = try edit.text("prompt"), made = try question(of: statement, path: edit.path("prompt"))
        let groundTruth = try old.flatMap { try question(of: $0, path: edit.path("original_fact.prompt")).answer }
        var probes = [Probe(.efficacy, made.prompt, groundTruth.map { .answer(made.answer, over: $0) } ?? .tokens(made.answer))]
        for (key, name) in criteria where fields.isGiven(key) {
            var kindProbes = try fields.objects(key).compactMap { try probe(Probe.Kind(name), $0) }
            // What training takes: an alias of the subject for words that the edit was not made in, and another relation of the subject for what stays.
            if !kindProbes.isEmpty, key == "Subject_Aliasing" { kindProbes[0].lesson = .follow }
            if !kindProbes.isEmpty, key == "Relation_Specificity" { kindProbes[0].lesson = .keep }
            probes += kindProbes
        }
        return EditRecord(
            id: try fields.identifier("id") ?? String(number), subject: SubjectSpan.subject(of: made.prompt, given: nil), edits: [made], groundTruth: groundTruth,
            probes: probes)
    }

    /// nil: none of the test's queries has an answer.
    private static func probe(_ kind: Probe.Kind, _ test: RecordFields) throws -> Probe? {
        let queries = try test.objects("test_queries").compactMap(query)
        guard let first = queries.first else { return nil }
        var probe = Probe(kind, first.prompt, .oneOf(first.answers))
        probe.companions = Array(queries.dropFirst())
        switch try test.optionalText("test_condition") {
        case nil, "OR": break
        case "AND": probe.needsAllCompanions = true
        case .some(let other): throw RecordError("'\(test.path("test_condition"))' is '\(excerpt(other))'; expected OR or AND")
        }
        if test.isGiven("condition_queries") { probe.conditions = try test.objects("condition_queries").compactMap(query) }
        return probe
    }

    /// nil: it has no answer.
    private static func query(_ fields: RecordFields) throws -> Probe.Query? {
        let answers = try fields.objects("answers").flatMap { answer in
            [try answer.answer("value")] + (answer.isGiven("aliases") ? try answer.answers("aliases").compactMap(\.self) : [])
        }
        return answers.isEmpty ? nil : Probe.Query(droppingFinalSpaces(try fields.text("prompt")), answers)
    }

    /// The prompt and the answer of a statement such as "The name of the mother of Ana is Bea.": it is cut behind its last "is" or "are".
    private static func question(of statement: String, path: String) throws -> Question {
        let text = trimmed(statement), body = text.utf8.last == UInt8(ascii: ".") ? String(text.dropLast()) : text
        let verbs = [" is ", " are "].compactMap { body.ranges(of: $0).last }
        guard let verb = verbs.max(by: { $0.lowerBound < $1.lowerBound }) else {
            throw RecordError("'\(path)' has no ' is ' that the new answer follows: '\(excerpt(statement))'")
        }
        let question = Question(prompt: droppingFinalSpaces(String(body[..<verb.upperBound])), answer: trimmed(String(body[verb.upperBound...])))
        guard !question.answer.isEmpty, !isBlank(question.prompt) else { throw RecordError("'\(path)' has nothing before or behind its ' is ': '\(excerpt(statement))'") }
        return question
    }
}
