extension DatasetFormat {
    /// CounterFact (ROME, arXiv 2202.05262): the original nested records, or flat ones as EasyEdit publishes them.
    package static let counterfact = DatasetFormat(
        "counterfact", isRecognized: { ($0.isGiven("requested_rewrite") || $0.isGiven("target_new")) && !$0.isList("requested_rewrite") },
        read: { try CounterFact.record(from: $0, number: $1) })
}

/// CounterFact records: an edit makes a statement about `subject` end with `target_new` where `target_true` is right.
enum CounterFact {
    static func record(from fields: RecordFields, number: Int) throws -> EditRecord {
        let isNested = fields.isGiven("requested_rewrite") || !fields.has("prompt") && fields.has("requested_rewrite")
        return try isNested ? nested(fields, number: number, .training) : flat(fields, number: number)
    }

    /// The original form. Attribute and generation prompts are not read. Every neighborhood prompt's right answer is
    /// `target_true`.
    static func nested(_ fields: RecordFields, number: Int, _ use: RecordUse) throws -> EditRecord {
        let rewrite = try fields.object("requested_rewrite")
        let subject = try rewrite.text("subject")
        let template = try rewrite.text("prompt")
        guard Placeholder.hasPlace(template) || Placeholder.contains(template, subject) else {
            throw RecordError("'requested_rewrite.prompt' has no {} for the subject, and the subject is not in it: '\(excerpt(template))'")
        }
        let groundTruth = try use == .training ? rewrite.answerOrObject("target_true") : rewrite.optionalAnswer("target_true")
        func given(_ key: String) -> Bool { use == .training || fields.isGiven(key) }
        return EditRecord(
            id: try fields.identifier("case_id") ?? String(number),
            subject: subject,
            edit: Question(prompt: try rewrite.prompt("prompt", about: subject), answer: try rewrite.answerOrObject("target_new")),
            groundTruth: groundTruth,
            rephrasings: try given("paraphrase_prompts") ? fields.prompts("paraphrase_prompts", about: subject, possiblyNone: use == .editing) : [],
            neighbors: try given("neighborhood_prompts") ? neighbors(fields, groundTruth) : [])
    }

    private static func neighbors(_ fields: RecordFields, _ groundTruth: String?) throws -> [Question] {
        let prompts = try fields.unrelatedPrompts("neighborhood_prompts")
        guard let groundTruth else { return [] }
        return prompts.map { Question(prompt: $0, answer: groundTruth) }
    }

    /// One rephrasing, one neighbor with its own answer; or EasyEdit's `locality` instead.
    private static func flat(_ fields: RecordFields, number: Int) throws -> EditRecord {
        let subject = try fields.text("subject")
        let rephrasing = fields.isGiven("rephrase") && !fields.isGiven("rephrase_prompt") ? "rephrase" : "rephrase_prompt"
        return EditRecord(
            id: try fields.identifier("case_id") ?? String(number),
            subject: subject,
            edit: Question(prompt: try fields.prompt("prompt", about: subject), answer: try fields.answerOrObject("target_new")),
            groundTruth: try fields.groundTruth() ?? fields.answer("ground_truth"),
            rephrasings: try fields.prompts(rephrasing, about: subject),
            neighbors: try fields.isGiven("locality") ? EasyEdit.neighbors(fields) : EasyEdit.flatNeighbors(fields))
    }
}
