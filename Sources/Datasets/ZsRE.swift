/// zsRE records: an edit gives a question a new answer; the neighbor is a question of Natural Questions.
enum ZsRE {
    /// MEND's form edits to `alt`, an answer that is plausible and wrong; MALMEN's to `ans`, which is right.
    /// Nil for a record of MEND's form whose `alt` is empty.
    static func record(from fields: RecordFields, number: Int) throws -> EditRecord? {
        guard let target = try target(of: fields) else { return nil }
        return EditRecord(
            id: try fields.identifier("case_id") ?? String(number),
            subject: try fields.optionalText("subject").flatMap { isBlank($0) ? nil : $0 },
            prompt: try fields.text("src"),
            target: target,
            groundTruth: try groundTruth(of: fields),
            rephrasings: try fields.texts("rephrase"),
            neighbors: [Question(prompt: asked(try fields.text("loc")), answer: try fields.answer("loc_ans"))])
    }

    private static func target(of fields: RecordFields) throws -> String? {
        if fields.has("alt") {
            return try fields.optionalText("alt") == "" ? nil : try fields.answer("alt")
        }
        guard fields.has("ans") else { throw fields.missing("alt", "ans") }
        return try fields.answer("ans")
    }

    /// The first of MEND's `answers`; MALMEN's form has none.
    private static func groundTruth(of fields: RecordFields) throws -> String? {
        fields.has("answers") ? try fields.listOfTexts("answers").first.map(droppingLeadingSpace) : nil
    }

    /// The published files leave out the question mark of `loc`, and the published code of MALMEN and EMSEdit adds it.
    private static func asked(_ question: String) -> String {
        question.utf8.last == UInt8(ascii: "?") ? question : question + "?"
    }
}
