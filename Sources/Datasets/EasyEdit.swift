/// The unrelated prompts of records in EasyEdit's form: flat as `locality_prompt` and `locality_ground_truth`, or in an object `locality` of kinds,
/// each {"prompt", "ground_truth"} with texts or lists of the same length, or a list of such objects.
enum EasyEdit {
    /// Possibly none at all.
    static func neighbors(_ fields: RecordFields) throws -> [Question] {
        var neighbors = try fields.isGiven("locality_prompt") ? [neighbor(fields)] : []
        guard fields.isGiven("locality") else { return neighbors }
        let kinds = try fields.object("locality")
        for kind in kinds.keys where kinds.isGiven(kind) {
            for fields in try kinds.objects(kind) { neighbors += try questions(fields) }
        }
        return neighbors
    }

    static func neighbor(_ fields: RecordFields) throws -> Question {
        Question(prompt: try fields.unrelatedPrompt("locality_prompt"), answer: try fields.answer("locality_ground_truth"))
    }

    private static func questions(_ fields: RecordFields) throws -> [Question] {
        guard fields.isList("prompt") else {
            return [Question(prompt: try fields.unrelatedPrompt("prompt"), answer: try fields.requiredAnswer("ground_truth"))]
        }
        let prompts = try fields.unrelatedPrompts("prompt"), answers = try fields.answers("ground_truth")
        guard prompts.count == answers.count else {
            throw RecordError("'\(fields.path("prompt"))' has \(prompts.count) texts, '\(fields.path("ground_truth"))' \(answers.count); expected as many")
        }
        return zip(prompts, answers).map { Question(prompt: $0, answer: $1) }
    }
}
