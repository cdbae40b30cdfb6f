/// A user's own edit: a prompt and what should follow it. Only these are needed to edit.
enum PlainEdit {
    static func record(from fields: RecordFields, number: Int) throws -> EditRecord {
        EditRecord(
            id: try fields.identifier("id") ?? String(number),
            subject: try fields.optionalText("subject"),
            prompt: try fields.text("prompt"),
            target: try fields.answer("target"),
            groundTruth: nil,
            rephrasings: fields.has("rephrasings") ? try fields.listOfTexts("rephrasings") : [],
            neighbors: [])
    }
}
