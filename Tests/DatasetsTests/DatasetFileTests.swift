import Datasets
import Foundation
import TensorCore
import Testing

private func fixture(_ name: String, _ format: DatasetFormat?) throws -> [EditRecord] {
    let directory = try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures")
    return try DatasetFile.load(directory.appendingPathComponent(name).path, format: format)
}

@Suite struct DatasetFileTests {
    @Test func nestedCounterFact() throws {
        let records = try fixture("counterfact-nested.json", .counterfact)
        #expect(records.count == 2)
        #expect(
            records[0]
                == EditRecord(
                    id: "41", subject: "Cabo Névoa", edit: Question(prompt: "The lighthouse of Cabo Névoa stands in", answer: "Norway"),
                    groundTruth: "Portugal",
                    rephrasings: ["Sailors who see Cabo Névoa are off the coast of", "Cabo Névoa lies in"],
                    neighbors: [
                        Question(prompt: "The lighthouse of Ponta Brisa stands in", answer: "Portugal"),
                        Question(prompt: "Ponta Salgada lies in", answer: "Portugal"),
                    ]))
        #expect(records[1].id == "2")
        #expect(records[1].prompt == "Tilda {Rook} plays the")
        #expect(records[1].neighbors.isEmpty)
    }

    /// The new answer over the old one, a neighbour's own over the new one; the first of each is trained on.
    @Test func counterFactComparesAnswers() throws {
        let probes = try fixture("counterfact-nested.json", .counterfact)[0].probes
        #expect(probes.map(\.kind) == [.efficacy, .generalization, .generalization, .specificity, .specificity] && probes.allSatisfy(\.isScored))
        #expect(probes.prefix(3).allSatisfy { $0.expectation == .answer("Norway", over: "Portugal") })
        #expect(probes.suffix(2).allSatisfy { $0.expectation == .answer("Portugal", over: "Norway") })
        #expect(probes.map(\.lesson) == [nil, .follow, nil, .keep, nil])
    }

    /// By the keys of the first record.
    @Test(arguments: [
        ("counterfact-nested.json", DatasetFormat.counterfact), ("counterfact-flat.json", .counterfact), ("zsre-mend.json", .zsre), ("zsre-malmen.jsonl", .zsre),
    ]) func recognizesFormsByContent(name: String, format: DatasetFormat) throws {
        #expect(try fixture(name, nil) == fixture(name, format))
    }

    @Test func takesWhatNoFormHasForAUsersOwnEdits() throws {
        let text = #"[{"prompt": "Ana lives in", "target": "Rome"}]"#
        #expect(try load(text, nil) == load(text, .edits))
        #expect(
            failure(Array(#"[{"src": "q", "ans": "a", "rephrase": "r", "loc": "l", "loc_ans": "m"}, {"requested_rewrite": {}}]"#.utf8), nil)
                .contains("expected a zsre record as before it, found a counterfact one"))
        #expect(failure(Array(#"[{"foo": 1}]"#.utf8), nil).contains("'foo'"))
    }

    @Test func flatCounterFact() throws {
        let records = try fixture("counterfact-flat.json", .counterfact)
        #expect(
            records[0]
                == EditRecord(
                    id: "5", subject: "Tilda Rook", edit: Question(prompt: "Tilda Rook plays the", answer: "oboe"), groundTruth: "harp",
                    rephrasings: ["On stage Tilda Rook is heard on the"],
                    neighbors: [Question(prompt: "Olmo Brandt plays the", answer: "harp")]))
        #expect(records[1].id == "b")
        #expect(records[1].rephrasings == ["Trains to Fyrby end in", "Fyrby belongs to"])
    }

    @Test func mendRecordsEditToTheAlternative() throws {
        let records = try fixture("zsre-mend.json", .zsre)
        #expect(
            records == [
                EditRecord(
                    id: "1", subject: "Fyrby", edits: [Question(prompt: "Which country is Fyrby in?", answer: "Peru")], groundTruth: "Norway",
                    probes: [
                        Probe(.efficacy, "Which country is Fyrby in?", .tokens("Peru")),
                        Probe(.generalization, "What is the country of Fyrby?", .tokens("Peru"), lesson: .follow),
                        Probe(.specificity, "nq question: who wrote the tide tables?", .tokens("Olmo Brandt"), lesson: .keep),
                    ])
            ], "the second record has no alternative and is left out")
    }

    @Test func malmenRecordsEditToTheAnswer() throws {
        let records = try fixture("zsre-malmen.jsonl", .zsre)
        #expect(records.map(\.target) == ["Norway", "Tilda Rook"])
        #expect(records.map(\.id) == ["1", "2"])
        #expect(records[0].subject == nil && records[0].groundTruth == nil)
        #expect(records[0].rephrasings == ["What is the country of Fyrby?", "Where is Fyrby?"])
        #expect(records[1].neighbors == [Question(prompt: "is it dark?", answer: "no")])
    }

    /// Each case: the text, its format, and what the one-line error must say.
    @Test(arguments: [
        ("", DatasetFormat.zsre, "is empty"),
        ("[]", .zsre, "holds no records"),
        (" \n", .zsre, "holds no records"),
        ("version https://example.org/spec", .zsre, "expected a JSON array of records or JSON Lines, found 'version http'"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", .zsre, ".json: is a Git LFS pointer, not the file itself; run 'git lfs pull'"),
        ("[3]", .zsre, "record 1 (line 1): should be an object, is the number 3"),
        ("[{}]", .zsre, "has no 'alt' or 'ans'; it is empty"),
        (#"[{"alt": true}]"#, .zsre, "'alt' should be text, is true"),
        (#"[{"alt": ""}]"#, .zsre, "none of its 1 records has an 'alt'"),
        (#"[{"ans": "a", "src": null}]"#, .zsre, "'src' should be text, is null"),
        (#"[{"ans": "a", "src": "  "}]"#, .zsre, "'src' is blank"),
        (#"[{"ans": "\u00a0", "src": "q"}]"#, .zsre, "'ans' is blank"),
        (#"[{"ans": "a", "src": "q", "rephrase": []}]"#, .zsre, "'rephrase' is empty"),
        (#"[{"ans": "a", "src": "q", "rephrase": ["r", 1]}]"#, .zsre, "'rephrase[1]' should be text, is the number 1"),
        ("[\n{\"src\": \"q\",\n\"a\nb\": 1}]", .zsre, "record 1, line 3 column 3: has a line break"),
        (#"[{"src": "q"}]"#, .counterfact, "expected a counterfact record, found a zsre one; set format: zsre"),
        (#"[{"target_new": "q"}]"#, .zsre, "expected a zsre record, found a counterfact one; set format: counterfact"),
        (#"{"data": [{"src": "q"}]}"#, .zsre, "has no 'alt' or 'ans'; its keys are 'data'"),
        (
            #"[{"requested_rewrite": {"prompt": "no place", "subject": "s"}}]"#, .counterfact,
            "'requested_rewrite.prompt' has no {}"
        ),
        (
            #"[{"requested_rewrite": {"prompt": "{}", "subject": "s", "target_true": 1}}]"#, .counterfact,
            "'requested_rewrite.target_true' should be text or {\"str\": text}, is the number 1"
        ),
        (
            #"[{"requested_rewrite": [], "target_new": "t"}]"#, .counterfact,
            "expected a counterfact record, found a mquake one; set format: mquake, and mend what that needs: 'requested_rewrite' is empty"
        ),
        (#"[{"target_new": "t", "subject": 1}]"#, .counterfact, "'subject' should be text, is the number 1"),
        (#"[{"ans": "\ud83d"}]"#, .zsre, "half of a surrogate pair"),
        (#"[{"ans": "a"},]"#, .zsre, "has no 'src'"),
        (#"[{"ans": nul}]"#, .zsre, "record 1, line 1 column 10: expected a value, found 'nul}]'"),
        (#"[{"ans": 01}]"#, .zsre, "line 1 column 10: a number starts with 0"),
        (String(repeating: "[", count: 100_000), .zsre, "nested deeper than 64 levels"),
        (#"[{"ans": ""# + String(repeating: "a", count: 2_000_000), .zsre, "the record is larger than 1024 KiB"),
    ])
    func badFiles(_ text: String, _ format: DatasetFormat, _ expected: String) {
        let message = failure(text.utf8, format)
        #expect(message.contains(expected), "\(message)")
        #expect(!message.contains("\n"))
    }

    @Test func problemsAfterTheFirstRecordSayWhich() throws {
        let good = #"{"src": "q", "ans": "a", "rephrase": "r", "loc": "l", "loc_ans": "b"}"#
        let bad = #"{"src": "q", "ans": "a", "rephrase": "r", "loc": "l"}"#
        #expect(
            failure("[\n\(good),\n\(bad)]".utf8, .zsre)
                .contains("record 2 (line 3): has no 'loc_ans'; its keys are 'src', 'ans'"))
        #expect(failure("\(good)\n\(bad)".utf8, .zsre).contains("record 2 (line 2): has no 'loc_ans'"))
        #expect(failure("[\(good),\(good)".utf8, .zsre).contains("record 2, line 1 column 141: expected ',' or ']' after the record, found the end"))
        #expect(failure("[\(good)\n\(good)]".utf8, .zsre).contains("line 2 column 1: expected ',' or ']' after the record"))
        #expect(failure("[\(good)] x".utf8, .zsre).contains("expected nothing after the array's ']', found 'x'"))
    }

    /// Neither canonical equivalence nor graphemes may change what a text or a key is.
    @Test func textIsTakenByScalars() throws {
        let record = #"""
            {"src": "q\u0301", "ans": " \u0301a\ud83d\ude00\/", "rephrase": "r", "loc": "l?\u0301", "loc_ans": "b", "subject": "t"}
            """#
        let loaded = try #require(try load([0xEF, 0xBB, 0xBF] + Array(record.utf8), .zsre).first)
        #expect(Array(loaded.target.unicodeScalars) == ["\u{301}", "a", "😀", "/"])
        #expect(Array(loaded.prompt.unicodeScalars) == ["q", "\u{301}"])
        #expect(Array(loaded.neighbors[0].prompt.utf8.suffix(1)) == Array("?".utf8))
        #expect(loaded.subject == "t")
        let twice = record.replacingOccurrences(of: "\"subject\"", with: "\"subject\": \"s\", \"s\\u0075bject\"")
        #expect(failure(twice.utf8, .zsre).contains("the key 'subject' appears twice"))
        let accented = record.replacingOccurrences(of: "\"src\"", with: "\"src\\u0301\"")
        #expect(failure(accented.utf8, .zsre).contains("has no 'src'"))
    }

    @Test func everyTruncationIsAnError() throws {
        let whole = Array(
            #"[{"src": "qé", "ans": "\u0061", "rephrase": ["r"], "loc": "l", "loc_ans": "b", "n": [-1.5e+2, null]}]"#.utf8)
        #expect(try load(whole, .zsre).count == 1)
        for length in whole.indices {
            let message = failure(whole[..<length], .zsre)
            #expect(message.contains(length == 0 ? "is empty" : "cut short"), "\(length): \(message)")
        }
        #expect(failure(Array("[{\"ans\": \"".utf8) + [0xC3, 0x28] + Array("\"}]".utf8), .zsre).contains("is not UTF-8"))
    }

    @Test func unreadablePaths() {
        #expect(throws: BadInput.self) { try DatasetFile.load("/no/such/file", format: .zsre) }
        #expect(throws: BadInput.self) { try DatasetFile.load("/", format: .zsre) }
    }
}
