import Foundation
import Testing
import Tokenization

@Suite struct TextTests {
    /// A vocabulary of "é" in both spellings, "\r", "\n" and "\r\n", and one added token.
    private let exact = """
        {"added_tokens": [{"id": 9, "content": "<é>", "special": true}],
         "model": {"type": "BPE", "unk_token": null, "vocab":
           {"\u{E9}": 0, "e": 1, "\u{301}": 2, "e\u{301}": 3, "\\r": 4, "\\n": 5, "\\r\\n": 6, "\\ud83d\\ude00": 7},
          "merges": [["e", "\u{301}"], ["\\r", "\\n"]]}}
        """

    @Test func canonicallyEquivalentTokensStayApart() throws {
        let tokenizer = try loadTokenizer(exact)
        #expect(tokenizer.encode("\u{E9}", addSpecialTokens: false) == [0])
        #expect(tokenizer.encode("e\u{301}", addSpecialTokens: false) == [3])
        #expect(tokenizer.encode("\r\n\n\r", addSpecialTokens: false) == [6, 5, 4])
        #expect(tokenizer.encode("😀", addSpecialTokens: false) == [7])
        #expect(tokenizer.encode("<é>", addSpecialTokens: false) == [9])
        #expect(tokenizer.encode("<e\u{301}>", addSpecialTokens: false) == [3])  // another text; "<" and ">" are unknown
        #expect(tokenizer.vocabularySize == 10)
    }

    @Test func decodingSkipsWhatItIsToldTo() throws {
        let tokenizer = try loadTokenizer(exact)
        #expect(sameBytes(tokenizer.decode([3, 9, 0, 8, -1, .max], skipSpecialTokens: false), "e\u{301} <é> \u{E9}"))
        #expect(sameBytes(tokenizer.decode([3, 9, 0], skipSpecialTokens: true), "e\u{301} \u{E9}"))
    }

    @Test(arguments: ["gpt2", "smollm2", "llama3", "qwen2", "gemma"])
    func continuationIsASpaceAndTheAnswer(name: String) throws {
        let tokenizer = try Tokenizer(contentsOf: Fixture(name).tokenizerPath)
        for item in try Fixture(name).cases() {
            #expect(tokenizer.encodeContinuation(item.text) == tokenizer.encode(" " + item.text, addSpecialTokens: false))
        }
    }

    @Test func continuationHasOneMarker() throws {
        let tokenizer = try Tokenizer(contentsOf: Fixture("mistral").tokenizerPath)
        for answer in ["French", "Toko Yasuda", "1234", "日本"] {
            #expect(tokenizer.encodeContinuation(answer) == tokenizer.encode(answer, addSpecialTokens: false))
        }
        let marker = tokenizer.encodeContinuation("")
        #expect(marker.count == 1)
        #expect(tokenizer.encodeContinuation("<s>x") == marker + tokenizer.encode("<s>x", addSpecialTokens: false))
    }

    @Test(arguments: [("llama3", 1, 0), ("mistral", 1, 2), ("gpt2", 1, 0)] as [(String, Int32, Int32)])
    func startAndEndAreKnown(name: String, start: Int32, end: Int32) throws {
        let tokenizer = try Tokenizer(contentsOf: Fixture(name).tokenizerPath)
        #expect(tokenizer.beginningOfText == start && tokenizer.endOfText == end)
    }

    /// Quadratic work would take hours.
    @Test(.timeLimit(.minutes(2)), arguments: ["gpt2", "llama3", "mistral"])
    func longWordsTakeLinearTime(name: String) throws {
        let tokenizer = try Tokenizer(contentsOf: Fixture(name).tokenizerPath)
        for text in [String(repeating: "the", count: 33_333), String(repeating: " ", count: 100_000), String(repeating: "東", count: 30_000)] {
            let ids = tokenizer.encode(text, addSpecialTokens: false)
            #expect(tokenizer.decode(ids, skipSpecialTokens: false) == text)
        }
    }

    @Test func threadsAndAFullCacheChangeNothing() async throws {
        let tokenizer = try Tokenizer(contentsOf: Fixture("gpt2").tokenizerPath)
        let cases = try Fixture("gpt2").cases()
        await withTaskGroup(of: Bool.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for number in 0..<4_000 { _ = tokenizer.encode("word\(task)x\(number)", addSpecialTokens: false) }
                    return cases.allSatisfy { tokenizer.encode($0.text, addSpecialTokens: true) == $0.ids }
                }
            }
            for await agrees in group { #expect(agrees) }
        }
    }
}
