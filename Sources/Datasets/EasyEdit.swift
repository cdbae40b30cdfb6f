/// The unrelated prompts of records in EasyEdit's form: flat as `locality_prompt` and `locality_ground_truth`, or in an object `locality` of kinds,
/// each {"prompt", "ground_truth"} or a list of such objects, which `locality` may also be itself. Both are texts or lists of the same length. A prompt
/// whose list of answers is empty is left out: there is nothing that it should keep.
enum EasyEdit {
    /// Possibly none at all.
    static func neighbors(_ fields: RecordFields) throws -> [Question] {
        var neighbors = try fields.isGiven("locality_prompt") ? flatNeighbors(fields) : []
        guard fields.isGiven("locality") else { return neighbors }
        if fields.isList("locality") { return try neighbors + fields.objects("locality").flatMap(questions) }
        let kinds = try fields.object("locality")
        for kind in kinds.keys where kinds.isGiven(kind) {
            for fields in try kinds.objects(kind) where !fields.keys.isEmpty { neighbors += try questions(fields) }
        }
        return neighbors
    }

    static func flatNeighbors(_ fields: RecordFields) throws -> [Question] {
        try questions(fields, "locality_prompt", "locality_ground_truth")
    }

    private static func questions(_ fields: RecordFields) throws -> [Question] { try questions(fields, "prompt", "ground_truth") }

    private static func questions(_ fields: RecordFields, _ prompt: String, _ answer: String) throws -> [Question] {
        guard fields.isList(prompt) else {
            let question = try fields.unrelatedPrompt(prompt)
            guard fields.isList(answer) else { return [Question(prompt: question, answer: try fields.answerOrObject(answer))] }
            return try fields.answers(answer).compactMap(\.self).prefix(1).map { Question(prompt: question, answer: $0) }
        }
        let prompts = try fields.unrelatedPrompts(prompt), answers = try fields.answers(answer)
        guard prompts.count == answers.count else {
            throw RecordError("'\(fields.path(prompt))' has \(prompts.count) texts, '\(fields.path(answer))' \(answers.count); expected as many")
        }
        return zip(prompts, answers).compactMap { prompt, answer in answer.map { Question(prompt: prompt, answer: $0) } }
    }
}
