import Datasets
import Testing
import Tokenization

@Suite struct EditBatchTests {
    private func batch(_ prompts: [String], microBatch: Int, _ tokenizer: Tokenizer) throws -> EditBatch {
        let records = prompts.map { prompt in
            EditRecord(
                id: prompt, subject: nil, edit: Question(prompt: prompt, answer: "X"), groundTruth: nil, rephrasings: [prompt + "r", prompt + "q"],
                neighbors: [Question(prompt: prompt + "n", answer: "Y"), Question(prompt: prompt + "m", answer: "Y")])
        }
        var form = EditBatch.Form(microBatch: microBatch)
        form.hasBleed = true
        return try EditBatch(records: records, tokenizer: tokenizer, form)
    }

    /// The longest first, equal ones as they came; the last micro-batch takes what is left.
    @Test func microBatchesAreOfFallingLengths() throws {
        let tokenizer = try BigramModel([:]).tokenizer, batch = try batch(["a", "bcd", "e", "fg", "hij"], microBatch: 2, tokenizer)
        func prompts(_ microBatches: [[TokenSequence]]) -> [[String]] { microBatches.map { $0.map { tokenizer.decode($0.prompt, skipSpecialTokens: false) } } }
        #expect(prompts(batch.edits) == [["bcd", "hij"], ["fg", "a"], ["e"]] && batch.editCount == 5)
        #expect(prompts(batch.rephrasings) == [["bcdr", "hijr"], ["fgr", "ar"], ["er"]], "the first of each record's")
        #expect(prompts(batch.unrelated) == [["bcdn", "hijn"], ["fgn", "an"], ["en"]], "the first of each record's")
    }

    /// What should not become likelier: the edit's answer, which a neighbour's own is over.
    @Test func unrelatedPromptsComeWithTheEditsAnswerToo() throws {
        let tokenizer = try BigramModel([:]).tokenizer, batch = try batch(["a", "bcd"], microBatch: 2, tokenizer)
        #expect(batch.bleed.map { $0.map(\.prompt) } == batch.unrelated.map { $0.map(\.prompt) })
        #expect(batch.bleed.joined().allSatisfy { $0.answer == tokenizer.encodeContinuation("X") } && batch.unrelated != batch.bleed)
    }

    /// What contrasts with an edit has its answer; without a subject there is none.
    @Test func contrastsAreTheEditsWithOtherSubjects() throws {
        let tokenizer = try BigramModel([:]).tokenizer
        func batch(_ subject: String, _ count: Int) throws -> EditBatch {
            let record = EditRecord(id: "1", subject: subject, edits: [Question(prompt: "abc", answer: "X")], probes: [])
            var form = EditBatch.Form(microBatch: 2)
            form.contrast = ContrastPrompts(count: count, seed: 1)
            return try EditBatch(records: [record], tokenizer: tokenizer, form)
        }
        let contrasts = try batch("b", 3).contrasts
        #expect(contrasts.map(\.count) == [2, 1] && contrasts.joined().allSatisfy { $0.answer == tokenizer.encodeContinuation("X") })
        #expect(try batch("z", 3).contrasts.isEmpty && batch("b", 3).edits == batch("z", 3).edits)
    }

    @Test func promptsBeginWithTheTokenizersSpecialToken() throws {
        let tokenizer = try BigramModel([:], beginning: "z").tokenizer, batch = try batch(["a"], microBatch: 1, tokenizer)
        #expect(tokenizer.decode(batch.edits[0][0].prompt, skipSpecialTokens: false) == "za" && batch.edits[0][0].answer == tokenizer.encodeContinuation("X"))
    }
}
