extension DatasetFormat {
    /// A user's own edits: {"prompt", "target"}, with or without a "subject" that fills a "{}" in the prompt, or records in any of the other
    /// forms or in EasyEdit's, of which only prompt and target are needed.
    package static let edits = DatasetFormat("edits", isRecognized: { _ in true }, read: { try UserEdit.record(from: $0, number: $1) })
}

/// A user's own edit, in whichever form it comes: only a prompt and what should follow it are needed to edit.
enum UserEdit {
    static func record(from fields: RecordFields, number: Int) throws -> EditRecord {
        if fields.isList("requested_rewrite") { return try MQuAKE.record(from: fields, number: number, .editing) }
        if fields.isObject("edit") { return try RippleEdits.record(from: fields, number: number) }
        if fields.isGiven("equiv_prompt") { return try FEVER.record(from: fields, number: number) }
        if fields.isGiven("requested_rewrite") { return try CounterFact.nested(fields, number: number, .editing) }
        if fields.isGiven("src") || !fields.has("prompt") && fields.has("src") { return try ZsRE.record(from: fields, number: number, .editing) }
        return try flat(fields, number: number)
    }

    /// {"prompt", "target"}, flat CounterFact, or a record of EasyEdit.
    private static func flat(_ fields: RecordFields, number: Int) throws -> EditRecord {
        let subject = try fields.subject()
        return EditRecord(
            id: try fields.identifier("id") ?? fields.identifier("case_id") ?? String(number),
            subject: subject,
            edit: Question(prompt: try fields.prompt("prompt", about: subject), answer: try fields.target()),
            groundTruth: try fields.groundTruth(),
            rephrasings: try ["rephrasings", "rephrase_prompt", "rephrase", "paraphrase_prompts"].flatMap {
                try fields.isGiven($0) ? fields.prompts($0, about: subject, possiblyNone: true) : []
            },
            neighbors: try EasyEdit.neighbors(fields))
    }
}

/// Whether a record is to be trained on and scored, or only to be applied.
enum RecordUse {
    case training
    /// Rephrasings and unrelated prompts may be left out.
    case editing
}
