extension DatasetFormat {
    /// MQuAKE (arXiv 2305.14795): facts that are edited together, and questions that take several of them to answer.
    package static let mquake = DatasetFormat(
        "mquake", isRecognized: { $0.isList("requested_rewrite") }, read: { try MQuAKE.record(from: $0, number: $1, .training) })
}

extension Probe.Kind {
    /// A question whose answer takes several facts, of which at least one was edited.
    static let multiHop = Probe.Kind("multi-hop")
    /// One of the facts on the way, edited or not.
    static let singleHop = Probe.Kind("single-hop")
}

/// MQuAKE records. All edits of a case are made together. As its paper counts, a case is answered where one of its questions, which ask the same, is.
enum MQuAKE {
    static func record(from fields: RecordFields, number: Int, _ use: RecordUse) throws -> EditRecord {
        let rewrites = try fields.objects("requested_rewrite")
        guard !rewrites.isEmpty else { throw RecordError("'requested_rewrite' is empty; expected at least one edit") }
        var edits: [Question] = [], made: [Probe] = [], asked: [Probe] = []
        for rewrite in rewrites {
            let subject = try rewrite.text("subject"), target = try rewrite.answerOrObject("target_new")
            let edit = Question(prompt: try rewrite.prompt("prompt", about: subject), answer: target)
            let expected = try rewrite.optionalAnswer("target_true").map { Probe.Expectation.answer(target, over: $0) } ?? .tokens(target)
            edits.append(edit)
            made.append(Probe(.efficacy, edit.prompt, expected))
            if rewrite.isGiven("question") {
                asked.append(Probe(.generalization, try rewrite.prompt("question", about: subject), expected, lesson: asked.isEmpty ? .follow : nil))
            }
        }
        return EditRecord(
            id: try fields.identifier("case_id") ?? String(number), subject: try rewrites[0].text("subject"), edits: edits,
            groundTruth: try rewrites[0].optionalAnswer("target_true"),
            probes: made + asked + (try hops(fields)) + (try use == .training || fields.isGiven("new_answer") ? [question(fields)] : []))
    }

    private static func question(_ fields: RecordFields) throws -> Probe {
        let answers = try spellings(fields, "new_answer"), questions = try fields.texts("questions").map(droppingFinalSpaces)
        var probe = Probe(.multiHop, questions[0], .oneOf(answers))
        probe.companions = questions.dropFirst().map { Probe.Query($0, answers) }
        return probe
    }

    private static func hops(_ fields: RecordFields) throws -> [Probe] {
        guard fields.isGiven("new_single_hops") else { return [] }
        return try fields.objects("new_single_hops").map { hop in
            Probe(.singleHop, droppingFinalSpaces(try hop.text("question")), .oneOf(try spellings(hop, "answer")))
        }
    }

    /// An answer, and others that will do.
    private static func spellings(_ fields: RecordFields, _ key: String) throws -> [String] {
        let answer = try fields.answer(key), others = fields.isGiven(key + "_alias") ? try fields.answers(key + "_alias").compactMap(\.self) : []
        return [answer] + others.filter { $0 != answer }
    }
}
