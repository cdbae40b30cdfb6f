extension DatasetFormat {
    /// FEVER's claims as MALMEN (arXiv 2311.04661) publishes them: an edit gives a claim another verdict.
    package static let fever = DatasetFormat("fever", isRecognized: { $0.isGiven("equiv_prompt") }, read: { try FEVER.record(from: $0, number: $1) })
}

/// FEVER records: a claim, whether it holds (`alt`), the claim in other words, and another claim with its own verdict.
enum FEVER {
    static func record(from fields: RecordFields, number: Int) throws -> EditRecord {
        EditRecord(
            id: try fields.identifier("id") ?? String(number), subject: nil,
            edit: Question(prompt: try fields.prompt("prompt", about: nil), answer: try fields.answer("alt")), groundTruth: nil,
            rephrasings: try fields.prompts("equiv_prompt", about: nil),
            neighbors: fields.isGiven("unrel_prompt") ? [Question(prompt: try fields.unrelatedPrompt("unrel_prompt"), answer: try fields.answer("unrel_ans"))] : []
        ).comparingNothing()  // it has no pair of comparable answers
    }
}
