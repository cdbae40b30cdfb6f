/// CounterFact records: an edit makes a statement about `subject` end with `target_new` where `target_true` is right.
enum CounterFact {
    static func record(from fields: RecordFields, number: Int) throws -> EditRecord {
        let id = try fields.identifier("case_id") ?? String(number)
        return fields.has("requested_rewrite") ? try nested(fields, id: id) : try flat(fields, id: id)
    }

    /// The original form. Attribute and generation prompts are not read. Every neighborhood prompt's right answer is
    /// `target_true`.
    private static func nested(_ fields: RecordFields, id: String) throws -> EditRecord {
        let rewrite = try fields.object("requested_rewrite")
        let subject = try rewrite.text("subject")
        let template = try rewrite.text("prompt")
        guard let prompt = filling(template, with: subject) else {
            throw RecordError("'requested_rewrite.prompt' has no {} for the subject: '\(excerpt(template))'")
        }
        let groundTruth = try rewrite.object("target_true").answer("str")
        return EditRecord(
            id: id,
            subject: subject,
            prompt: prompt,
            target: try rewrite.object("target_new").answer("str"),
            groundTruth: groundTruth,
            rephrasings: try fields.texts("paraphrase_prompts"),
            neighbors: try fields.listOfTexts("neighborhood_prompts").map { Question(prompt: $0, answer: groundTruth) })
    }

    /// EasyEdit's form: prompts hold the subject already, one rephrasing, one neighbor with its own answer.
    private static func flat(_ fields: RecordFields, id: String) throws -> EditRecord {
        EditRecord(
            id: id,
            subject: try fields.text("subject"),
            prompt: try fields.text("prompt"),
            target: try fields.answer("target_new"),
            groundTruth: try fields.answer("ground_truth"),
            rephrasings: try fields.texts("rephrase_prompt"),
            neighbors: [
                Question(
                    prompt: try fields.text("locality_prompt"),
                    answer: try fields.answer("locality_ground_truth"))
            ])
    }
}
