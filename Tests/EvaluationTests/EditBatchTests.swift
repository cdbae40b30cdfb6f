import Datasets
import Testing
import Tokenization

@Suite struct EditBatchTests {
    private func batch(_ prompts: [String], microBatch: Int, _ tokenizer: Tokenizer) throws -> EditBatch {
        let records = prompts.map { prompt in
            EditRecord(
                id: prompt, subject: nil, edit: Question(prompt: prompt, answer: "X"), groundTruth: "Y", rephrasings: [prompt + "r", prompt + "q"],
                neighbors: [Question(prompt: prompt + "n", answer: "Y"), Question(prompt: prompt + "m", answer: "Y")])
        }
        var form = EditBatch.Form(microBatch: microBatch)
        (form.hasBleed, form.hasOldAnswers) = (true, true)
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

    /// What should become less likely: what the new answer is over.
    @Test func rephrasingsComeWithTheOldAnswerToo() throws {
        let tokenizer = try BigramModel([:]).tokenizer, batch = try batch(["a", "bcd"], microBatch: 2, tokenizer)
        #expect(batch.oldAnswers.map { $0.map(\.prompt) } == batch.rephrasings.map { $0.map(\.prompt) })
        #expect(batch.oldAnswers.joined().allSatisfy { $0.answer == tokenizer.encodeContinuation("Y") } && batch.rephrasings != batch.oldAnswers)
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

    /// Where it was last named; also where another took its place, and behind a special token.
    @Test(arguments: [nil, "z"]) func subjectsAreMarkedWhereAsked(beginning: String?) throws {
        let tokenizer = try BigramModel([:], beginning: beginning).tokenizer, special = beginning == nil ? 0 : 1
        func batch(_ prompt: String, _ subject: String?, marks: Bool = true) throws -> EditBatch {
            var form = EditBatch.Form(microBatch: 2)
            form.marksSubjects = marks
            form.contrast = ContrastPrompts(count: 2, seed: 1)
            return try EditBatch(records: [EditRecord(id: "1", subject: subject, edits: [Question(prompt: prompt, answer: "X")], probes: [])], tokenizer: tokenizer, form)
        }
        func places(_ prompt: String, _ subject: String?) throws -> Range<Int>? {
            try batch(prompt, subject).edits[0][0].subject.map { $0.lowerBound - special..<$0.upperBound - special }
        }
        for (prompt, subject, expected) in [("abcd", "bc", 1..<3), ("abab", "ab", 2..<4), ("a B", "B", 1..<2), ("abcd", "abcd", 0..<4)] {
            #expect(try places(prompt, subject) == expected, "\(subject) in \(prompt)")
        }
        #expect(try places("abcd", "y") == nil && places("abcd", nil) == nil && batch("abcd", "bc", marks: false).edits[0][0].subject == nil)
        for sequence in try batch("a B", "B").contrasts.joined() {
            let subject = try #require(sequence.subject)
            #expect(subject.lowerBound == special + 1 && subject.upperBound == sequence.prompt.count)
        }
    }

    /// Sentences that differ, the edit behind each, its subject where it is there.
    @Test func editsAreAlsoMadeBehindOtherText() throws {
        let tokenizer = try BigramModel([:]).tokenizer
        func batch(_ count: Int, seed: UInt64 = 1) throws -> EditBatch {
            var form = EditBatch.Form(microBatch: 2)
            form.marksSubjects = true
            form.prefixes = Prefixes(count: count, seed: seed)
            return try EditBatch(records: [EditRecord(id: "1", subject: "b", edits: [Question(prompt: "abc", answer: "X")], probes: [])], tokenizer: tokenizer, form)
        }
        let two = try batch(2), sequences = two.prefixed.flatMap(\.self)
        #expect(two.edits == (try batch(0)).edits && two.editCount == 1 && sequences.count == 2 && sequences[0].prompt != sequences[1].prompt)
        for sequence in sequences {
            let length = sequence.prompt.count
            #expect(
                Array(sequence.prompt.suffix(3)) == two.edits[0][0].prompt && sequence.answer == two.edits[0][0].answer && sequence.subject == length - 2..<length - 1)
        }
        let three = try batch(3).prefixed.flatMap(\.self)
        #expect(sequences.allSatisfy { three.contains($0) } && three.count == 3, "more of them are the same and others")
        #expect(try batch(2, seed: 2).prefixed != two.prefixed && batch(2).prefixed == two.prefixed)
    }

    @Test func promptsBeginWithTheTokenizersSpecialToken() throws {
        let tokenizer = try BigramModel([:], beginning: "z").tokenizer, batch = try batch(["a"], microBatch: 1, tokenizer)
        #expect(tokenizer.decode(batch.edits[0][0].prompt, skipSpecialTokens: false) == "za" && batch.edits[0][0].answer == tokenizer.encodeContinuation("X"))
    }
}
