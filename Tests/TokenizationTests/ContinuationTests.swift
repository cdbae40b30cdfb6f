import Foundation
import Testing
import Tokenization

/// An answer that continues a text starts one word: with the marker or space that is its own, and no second one.
@Suite struct ContinuationTests {
    private let answers = ["Paris", "foo bar", "1234", "日本", "é", "<a>", "<ab>", "a,b;c!"]

    /// Whatever the pipeline, the continuation decodes to what the text with the answer has after the text.
    @Test(arguments: Fixture.families)
    func decodesToASpaceAndTheAnswer(name: String) throws {
        try expectOneSpace(Tokenizer(contentsOf: Fixture(name).tokenizerPath))
    }

    @Test(arguments: [true, false])
    func decodesToASpaceAndTheAnswerWithMetadata(addSpacePrefix: Bool) throws {
        for name in ["sentencepiece", "gguf-gemma"] {
            let vocabulary = try Fixture(name).decode("vocabulary.json", as: ScoredVocabulary.self).gguf(addSpacePrefix: addSpacePrefix)
            try expectOneSpace(Tokenizer(gguf: vocabulary))
        }
    }

    private func expectOneSpace(_ tokenizer: Tokenizer) throws {
        let prompt = tokenizer.encode("foo", addSpecialTokens: false)
        for answer in answers {
            let whole = tokenizer.decode(prompt + tokenizer.encodeContinuation(answer), skipSpecialTokens: false)
            #expect(sameBytes(whole, "foo \(answer)"), "got \(whole.debugDescription)")
        }
    }

    /// Where words are cut at spaces, the prompt's ids and the continuation's are the ids of the whole text.
    @Test(arguments: ["gpt2", "smollm2", "llama3", "qwen2", "mistral", "components/metaspace-always", "components/metaspace-first"])
    func isTheTailOfTheWholeText(name: String) throws {
        let tokenizer = try Tokenizer(contentsOf: Fixture(name).tokenizerPath)
        for answer in ["Paris", "foo", "日本", "a,b"] {
            let whole = tokenizer.encode("foo \(answer)", addSpecialTokens: true)
            #expect(tokenizer.encode("foo", addSpecialTokens: true) + tokenizer.encodeContinuation(answer) == whole, "\(answer)")
        }
    }

    /// Each way in which a pipeline can put a word-start marker before a text, alone and one after the other.
    @Test(arguments: [
        ([prepend("▁")], "null"), ([prepend("▁"), marking], "null"), ([marking, prepend("▁")], "null"),
        ([#"{"type": "Strip"}"#, prepend("▁")], "null"), ([prepend(" ")], metaspace("always")), ([prepend("▁")], metaspace("first")),
        ([], metaspace("always")), ([], metaspace("first")), ([], metaspace("never")),
    ])
    func hasOneMarker(normalizers: [String], preTokenizer: String) throws {
        let tokenizer = try loadTokenizer(
            """
            {"normalizer": {"type": "Sequence", "normalizers": [\(normalizers.joined(separator: ","))]}, "pre_tokenizer": \(preTokenizer),
             "added_tokens": [{"id": 9, "content": "<x>", "special": true}],
             "model": {"type": "BPE", "vocab": {"▁": 0, "a": 1, "b": 2, " ": 3}, "merges": []}}
            """)
        let ids = tokenizer.encodeContinuation("ab")
        #expect(ids == [0, 1, 2] || ids == [3, 1, 2], "\(ids)")  // a space is as good as a marker
        #expect(tokenizer.encodeContinuation("a<x>") == [ids[0], 1, 9])
    }

    private static let marking = #"{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}"#

    private static func prepend(_ text: String) -> String { #"{"type": "Prepend", "prepend": "\#(text)"}"# }

    private static func metaspace(_ scheme: String) -> String { #"{"type": "Metaspace", "prepend_scheme": "\#(scheme)"}"# }

    @Test(arguments: [true, false])
    func spacePrefixIsNotDoubled(addSpacePrefix: Bool) throws {
        let tokens = ["<unk>", "▁", "a", "▁a", "<u>"]
        var vocabulary = GGUFVocabulary(
            source: "model.gguf", model: "llama", tokens: tokens, tokenTypes: [2, 1, 1, 1, 4], scores: [0, -2, -3, -1, 0])
        vocabulary.addSpacePrefix = addSpacePrefix
        let tokenizer = try Tokenizer(gguf: vocabulary)
        #expect(tokenizer.encodeContinuation("a") == [3])
        #expect(tokenizer.encodeContinuation("a a") == [3, 3])
        #expect(tokenizer.encodeContinuation("<u>a") == [1, 4, 2])
        #expect(tokenizer.encode("<u>a", addSpecialTokens: false) == (addSpacePrefix ? [1, 4, 2] : [4, 2]))
    }
}
