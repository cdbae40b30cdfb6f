import Datasets
import TensorCore
import Testing

@Suite struct RepeatedPromptsTests {
    private func records(_ edits: [(String, String)]) throws -> [EditRecord] {
        try load(edits.map { #"{"prompt": "\#($0.0)", "target": "\#($0.1)"}"# }.joined(separator: "\n"), .edits)
    }

    @Test func tellsRepetitionsFromContradictions() throws {
        let repeated = RepeatedPrompts(try records([("a", "1"), ("b", "1"), ("a", "2"), ("b", "1"), ("a", "2"), ("A", "3")]))
        #expect(repeated.contradicting.map { [$0.earlier, $0.later] } == [[0, 2]])
        #expect(repeated.same.map { [$0.earlier, $0.later] } == [[1, 3], [2, 4]])
        #expect(repeated.notesOnEdits.count == 2)
        #expect(repeated.notesOnEdits[0].contains("record '4' repeats record '2'; record '5' repeats record '3': the same edit more than once"))
        #expect(repeated.notesOnEdits[1].contains("record '3' gives '2' where record '1' gave '1': of edits with one prompt the later batch counts"))
        let note = try #require(repeated.noteOnDataSet)
        #expect(note.contains("3 of 6 records have the prompt of an earlier one, 2 with the same target and 1 with another target"), "\(note)")
        #expect(note.contains("record '3' that of record '1'; record '4' that of record '2'; record '5' that of record '3'"), "\(note)")
    }

    /// By what they are about, given or seen.
    @Test func tellsFactsAboutTheSameSubject() throws {
        func note(_ prompts: [String]) throws -> String? { RepeatedPrompts(try records(prompts.map { ($0, "1") })).noteOnSubjects }
        let found = try #require(try note(["The capital of France is", "The capital of Peru is", "France borders", "In France people speak"]))
        #expect(
            found.contains("2 of 4 records are about the subject of an earlier one") && found.contains("record '3' and record '1'; record '4' and record '3'"), "\(found)"
        )
        #expect(try note(["The capital of France is", "Peru is", "it is"]) == nil)
    }

    @Test func refusesContradictionsWithinABatch() throws {
        let repeated = RepeatedPrompts(try records([("a", "1"), ("b", "1"), ("c", "1"), ("a", "2")]))
        try repeated.checkBatches(of: 3)
        let error = try #require(throws: BadInput.self) { try repeated.checkBatches(of: 4) }
        #expect("\(error)".contains(".json, record '4', 'a': is to give '2', but record '1' gives the same prompt the target '1'"), "\(error)")
    }

    /// Two spellings of é are two prompts.
    @Test func saysNothingWhereThereIsNothing() throws {
        let repeated = RepeatedPrompts(try records([("\u{E9}", "1"), ("e\u{301}", "2")]))
        #expect(repeated.same.isEmpty && repeated.contradicting.isEmpty && repeated.notesOnEdits.isEmpty && repeated.noteOnDataSet == nil)
        try repeated.checkBatches(of: 2)
    }

    @Test func namesThreeAtMost() throws {
        let repeated = RepeatedPrompts(try records(Array(repeating: ("a", "1"), count: 7)))
        #expect(repeated.notesOnEdits[0].contains("; and 3 more: the same edit"))
    }
}
