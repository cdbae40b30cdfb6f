extension DatasetFormat {
    /// zsRE question answering, as MEND (arXiv 2110.11309) or MALMEN (arXiv 2311.04661) publish it. A record whose `alt` is empty is left out: MEND
    /// found no alternative answer for it, and EasyEdit skips it too.
    package static let zsre = DatasetFormat(
        "zsre", requirement: "an 'alt' to edit to", isRecognized: { $0.isGiven("src") }, read: { try ZsRE.record(from: $0, number: $1) })
}

/// zsRE records: an edit gives a question a new answer; the neighbor is a question of Natural Questions.
enum ZsRE {
    /// MEND's form edits to `alt`, an answer that is plausible and wrong; MALMEN's to `ans`, which is right.
    /// Nil for a record of MEND's form whose `alt` is empty.
    static func record(from fields: RecordFields, number: Int) throws -> EditRecord? {
        if fields.has("alt"), try fields.optionalText("alt") == "" { return nil }
        return try record(from: fields, number: number, .training)
    }

    static func record(from fields: RecordFields, number: Int, _ use: RecordUse) throws -> EditRecord {
        let target = try target(of: fields, use), subject = try fields.subject()
        func given(_ key: String) -> Bool { use == .training || fields.isGiven(key) }
        return EditRecord(
            id: try fields.identifier("case_id") ?? String(number),
            subject: subject,
            edit: Question(prompt: try fields.prompt("src", about: subject), answer: target),
            groundTruth: try fields.optionalAnswer("answers"),  // MALMEN's form has none
            rephrasings: try given("rephrase") ? fields.prompts("rephrase", about: subject) : [],
            neighbors: given("loc") ? [Question(prompt: asked(try fields.unrelatedPrompt("loc")), answer: try fields.answer("loc_ans"))] : []
        ).comparingNothing()  // it has no pair of comparable answers
    }

    private static func target(of fields: RecordFields, _ use: RecordUse) throws -> String {
        if fields.isGiven("alt") || fields.has("alt") && !fields.isGiven("ans") { return try fields.answer("alt") }
        if use == .editing, !fields.has("ans") { return try fields.target() }
        guard fields.has("ans") else { throw fields.missing("alt", "ans") }
        return try fields.answer("ans")
    }

    /// The published files leave out the question mark of `loc`, and the published code of MALMEN and EMSEdit adds it.
    private static func asked(_ question: String) -> String {
        question.utf8.last == UInt8(ascii: "?") ? question : question + "?"
    }
}
