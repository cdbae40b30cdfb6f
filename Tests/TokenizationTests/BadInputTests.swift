import Foundation
import TensorCore
import Testing
import Tokenization

@Suite struct BadInputTests {
    /// A small tokenizer.json with one part replaced.
    private func tokenizer(
        added: String = "[]", normalizer: String = "null", preTokenizer: String = "null", postProcessor: String = "null",
        decoder: String = "null", vocab: String = #"{"a": 0, "b": 1, "ab": 2}"#, merges: String = #"[["a", "b"]]"#,
        options: String = ""
    ) -> String {
        """
        {"version": "1.0", "added_tokens": \(added), "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer),
         "post_processor": \(postProcessor), "decoder": \(decoder),
         "model": {"type": "BPE"\(options), "vocab": \(vocab), "merges": \(merges)}}
        """
    }

    /// The message of the `BadInput` that reading this file throws.
    private func problem(_ json: String) -> String {
        do {
            _ = try loadTokenizer(json)
            return "nothing thrown"
        } catch let error as BadInput {
            return error.description
        } catch {
            return "another error: \(error)"
        }
    }

    private func expect(_ json: String, _ fragments: String..., location: SourceLocation = #_sourceLocation) {
        let problem = problem(json)
        for fragment in fragments { #expect(problem.contains(fragment), "\(problem)", sourceLocation: location) }
        #expect(!problem.contains(where: \.isNewline) && problem.count < 1000, sourceLocation: location)
    }

    @Test func theBaseIsGood() throws {
        #expect(try loadTokenizer(tokenizer()).encode("abba", addSpecialTokens: true) == [2, 1, 0])
        #expect(try loadTokenizer(tokenizer(merges: #"["a b"]"#)).encode("abba", addSpecialTokens: true) == [2, 1, 0])
    }

    @Test func unknownComponentsAreNamed() {
        expect(tokenizer(normalizer: #"{"type": "Nmt"}"#), "normalizer.type", "'Nmt'")
        expect(tokenizer(normalizer: #"{"type": "Sequence", "normalizers": [{"type": "X"}]}"#), "normalizer.normalizers[0].type", "'X'")
        expect(tokenizer(preTokenizer: #"{"type": "UnicodeScripts"}"#), "pre_tokenizer.type", "'UnicodeScripts'")
        expect(tokenizer(postProcessor: #"{"type": "BertProcessing"}"#), "post_processor.type", "'BertProcessing'")
        expect(tokenizer(decoder: #"{"type": "CTC"}"#), "decoder.type", "'CTC'")
        expect(tokenizer().replacingOccurrences(of: #""BPE""#, with: #""Unigram""#), "model.type", "'Unigram'", "BPE")
        expect(tokenizer(options: #", "end_of_word_suffix": "</w>""#), "model.end_of_word_suffix", "</w>")
        expect(tokenizer(preTokenizer: #"{"type": "Split", "pattern": {"String": "a"}, "behavior": "Away"}"#), "'Away'", "Isolated")
        expect(tokenizer(preTokenizer: #"{"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"}"#), "(a")
    }

    @Test func contradictionsAreFound() {
        expect(tokenizer(vocab: #"{"a": 0, "b": 0, "ab": 2}"#), "model.vocab", "id 0", "'a'", "'b'")
        expect(tokenizer(vocab: #"{"a": 0, "b": 1, "a": 3, "ab": 2}"#), "line 3", "the key 'a' appears twice")
        expect(tokenizer(vocab: #"{"a": 0, "b": -1, "ab": 2}"#), "model.vocab['b']", "-1")
        expect(tokenizer(vocab: #"{"a": 0, "b": 1e300, "ab": 2}"#), "model.vocab['b']", "1e+300")
        expect(tokenizer(merges: #"[["a", "b"], ["b", "b"]]"#), "model.merges[1]", "'bb' is not in the vocabulary")
        expect(tokenizer(merges: #"[["a", "c"]]"#), "model.merges[0]", "'c'")
        expect(tokenizer(merges: #"["a b c"]"#), "model.merges[0]", "found 3")
        expect(tokenizer(options: #", "unk_token": "<unk>""#), "model.unk_token", "'<unk>'")
        expect(tokenizer(added: #"[{"id": 7, "content": "ab", "special": true}]"#), "added_tokens[0]", "7", "2")
        expect(tokenizer(added: #"[{"id": 1, "content": "<s>", "special": true}]"#), "added_tokens[0]", "'<s>'", "'b'")
        let template = #"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": "#
        expect(tokenizer(postProcessor: template + "{}}"), "post_processor.single[0].SpecialToken.id", "<s>")
        expect(tokenizer(postProcessor: template + #"{"<s>": {"ids": [77]}}}"#), "post_processor", "77")
    }

    /// ICU would take hours, or for ever.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "(a+)+b", "(a|a)*b", "(?:a?){40}a{40}", "(a|aa)+$x", #"(\\s*\\S*)*!"#, "a*a*a*a*a*b", #"(.*)(.*)(.*)\\3\\2\\1$"#,
            "([a-z]+)*[0-9]", "(x+x+)+y",
        ])
    func expressionsWithoutEndAreRefused(expression: String) {
        expect(
            tokenizer(preTokenizer: #"{"type": "Split", "pattern": {"Regex": "\#(expression)"}, "behavior": "Isolated"}"#),
            "pre_tokenizer.pattern.Regex", "too many steps")
    }

    /// No probe has Thai letters. Where the expression is given up, nothing matches.
    @Test(.timeLimit(.minutes(1))) func expressionsKeepToTheirBudget() throws {
        let tokenizer = try loadTokenizer(
            tokenizer(
                preTokenizer: #"{"type": "Split", "pattern": {"Regex": "(\\p{Thai}|\\p{Thai})*!"}, "behavior": "Removed"}"#,
                options: #", "unk_token": "ab""#))
        #expect(tokenizer.encode("aก!a", addSpecialTokens: false) == [0, 0])
        #expect(tokenizer.encode("a" + String(repeating: "ก", count: 200), addSpecialTokens: false).first == 0)
    }

    /// Each would fill memory in one text.
    @Test func chainsThatGrowTextAreRefused() {
        func sequence(_ key: String, _ count: Int, _ component: String) -> String {
            #"{"type": "Sequence", "\#(key)": [\#(Array(repeating: component, count: count).joined(separator: ","))]}"#
        }
        let doubling = #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#
        expect(tokenizer(normalizer: sequence("normalizers", 20, doubling)), "normalizer", "times as long")
        expect(tokenizer(decoder: sequence("decoders", 20, doubling)), "decoder", "times as long")
        expect(tokenizer(preTokenizer: sequence("pretokenizers", 20, #"{"type": "ByteLevel"}"#)), "pre_tokenizer", "times as long")
        expect(tokenizer(normalizer: sequence("normalizers", 1000, #"{"type": "NFC"}"#)), "normalizer", "has 1001 objects")
        let long = String(repeating: "a", count: 5000)
        expect(tokenizer(normalizer: #"{"type": "Prepend", "prepend": "\#(long)"}"#), "normalizer.prepend", "5000 bytes")
        expect(tokenizer(preTokenizer: #"{"type": "Split", "pattern": {"Regex": "\#(long)"}, "behavior": "Isolated"}"#), "5000 bytes")
    }

    @Test func absurdSizesAreRefused() {
        let long = String(repeating: "a", count: 5000)
        expect(tokenizer(vocab: #"{"a": 0, "b": 1, "ab": 2, "\#(long)": 3}"#), "model.vocab", "5000 bytes")
        expect(tokenizer(added: #"[{"id": 7, "content": "\#(long)"}]"#), "added_tokens[0].content", "5000 bytes")
        let item = #"{"SpecialToken": {"id": "<s>"}}, "#
        func template(items: Int, ids: Int) -> String {
            #"{"type": "TemplateProcessing", "single": [\#(String(repeating: item, count: items)){"Sequence": {"id": "A"}}], "#
                + #""special_tokens": {"<s>": {"ids": ["# + Array(repeating: "0", count: ids).joined(separator: ",") + "]}}}"
        }
        expect(tokenizer(postProcessor: template(items: 600, ids: 600)), "post_processor.single", "1024")
        expect(tokenizer(postProcessor: template(items: 2000, ids: 0)), "post_processor.single", "2001")
        let many = Array(repeating: template(items: 1, ids: 1), count: 600).joined(separator: ",")
        expect(tokenizer(postProcessor: #"{"type": "Sequence", "processors": [\#(many)]}"#), "post_processor", "1200")
        let added = (0..<1100).map { #"{"id": \#($0 + 3), "content": "\#($0)\#(String(repeating: "a", count: 4000))"}"# }
        expect(tokenizer(added: "[\(added.joined(separator: ","))]"), "added_tokens", "expected at most 4194304")
        expect(tokenizer(added: #"[{"id": 4294967296, "content": "<s>"}]"#), "added_tokens[0].id", "4294967296")
    }

    @Test func mergesOfNothingAreFound() {
        expect(tokenizer(merges: #"[["", "a"]]"#), "model.merges[0]", "''")
        expect(tokenizer(merges: #"[["a", ""]]"#), "model.merges[0]", "''")
        expect(tokenizer(merges: #"["a b", "ab "]"#), "model.merges[1]", "''")
        expect(tokenizer(merges: #"[["a"]]"#), "model.merges[0]", "found 1")
        expect(tokenizer(merges: #"[["a", 1]]"#), "model.merges[0]", "an integer")
        expect(tokenizer(merges: #"{}"#), "model.merges", "an object")
    }

    @Test func holesInTheIdsAreFine() throws {
        let sparse = try loadTokenizer(tokenizer(vocab: #"{"a": 5, "b": 2147483647, "ab": 0}"#))
        #expect(sparse.encode("abb", addSpecialTokens: true) == [0, .max])
        #expect(sparse.vocabularySize == 1 << 31)
    }

    @Test func brokenFilesAreBadInput() {
        expect("", "is not JSON")
        expect("[]", "expected an object")
        expect("{}", "has no 'model'")
        expect("{\n\"a\": 1,\n}", "line 3")
        expect(#"{"a": "\ud800"}"#, "surrogate")
        expect(#"{"a\nb" 1}"#, #"after the key 'a\nb'"#)
        expect(#"{"\#(String(repeating: "a", count: 5000))" 1}"#, "…")
        expect(tokenizer(normalizer: #"{"type": "A\nB\u2028C"}"#), #"'A\nB\u{2028}C'"#)
        expect(String(repeating: "[", count: 100_000), "nested")
        #expect(throws: BadInput.self) { try Tokenizer(contentsOf: "/nowhere/tokenizer.json") }
        #expect(throws: BadInput.self) { try Tokenizer(contentsOf: FileManager.default.temporaryDirectory.path) }
        #expect(throws: BadInput.self) {
            try withTemporaryFile(Data([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D])) { try Tokenizer(contentsOf: $0) }
        }
    }

    @Test func truncatedFilesAreBadInput() {
        let whole = Array(tokenizer(normalizer: #"{"type": "NFC"}"#, decoder: #"{"type": "ByteLevel"}"#).utf8)
        for count in 0..<whole.count {
            #expect(throws: BadInput.self, "\(count) bytes") {
                try withTemporaryFile(Data(whole[..<count])) { try Tokenizer(contentsOf: $0) }
            }
        }
    }

    /// Whatever a flipped bit makes of a file, it is read or refused, and what was read works.
    @Test func flippedBitsNeverTrap() throws {
        let whole = try Data(contentsOf: URL(fileURLWithPath: Fixture("components/added-tokens").tokenizerPath))
        for flip in 0..<300 {
            var damaged = whole
            damaged[(flip * 7919) % whole.count] ^= 1 << UInt8(flip % 8)
            do {
                let tokenizer = try withTemporaryFile(damaged) { try Tokenizer(contentsOf: $0) }
                let ids = tokenizer.encode("  <a> é<b>-<b>_ Foo\r\n12", addSpecialTokens: true)
                _ = tokenizer.decode(ids, skipSpecialTokens: true)
            } catch {
                #expect(error is BadInput, "\(error)")
            }
        }
    }
}

@Suite struct BadVocabularyTests {
    private var good: GGUFVocabulary {
        GGUFVocabulary(source: "model.gguf", model: "gpt2", tokens: ["a", "b", "ab", "<s>"], tokenTypes: [1, 1, 1, 3], merges: ["a b"])
    }

    private func expect(_ fragments: String..., location: SourceLocation = #_sourceLocation, change: (inout GGUFVocabulary) -> Void) {
        var vocabulary = good
        change(&vocabulary)
        do {
            _ = try Tokenizer(gguf: vocabulary)
            Issue.record("nothing thrown", sourceLocation: location)
        } catch let error as BadInput {
            for fragment in ["model.gguf, tokenizer.ggml."] + fragments {
                #expect(error.description.contains(fragment), "\(error)", sourceLocation: location)
            }
        } catch {
            Issue.record("another error: \(error)", sourceLocation: location)
        }
    }

    @Test func badMetadataAreNamed() throws {
        #expect(try Tokenizer(gguf: good).encode("ab<s>b", addSpecialTokens: true) == [2, 3, 1])
        expect("model", "'bert'", "gpt2, llama") { $0.model = "bert" }
        expect("pre", "'deepseek-llm'", "smollm", "llama-bpe") { $0.pre = "deepseek-llm" }
        expect("tokens", "found 0") { $0.tokens = [] }
        expect("tokens[3]", "'a'", "of 0") { $0.tokens[3] = "a" }
        expect("token_type", "4 tokens", "found 1") { $0.tokenTypes = [1] }
        expect("token_type[1]", "found 9") { $0.tokenTypes = [1, 9, 1, 1] }
        expect("merges[0]", "'c'") { $0.merges = ["a c"] }
        expect("merges[0]", "found 1") { $0.merges = ["ab"] }
        expect("bos_token_id", "4") { $0.beginningOfText = 4 }
        expect("eos_token_id", "-1") { $0.endOfText = -1 }
        expect("scores", "missing") { $0.model = "llama" }
        expect("scores", "found 2") { ($0.model, $0.scores) = ("llama", [0, 0]) }
        expect("scores[2]", "nan") { ($0.model, $0.scores) = ("llama", [0, 0, .nan, 0]) }
        expect("scores[0]", "inf") { ($0.model, $0.scores) = ("llama", [.infinity, 0, 0, 0]) }
        expect("unknown_token_id", "9") { $0.unknown = 9 }
        expect("merges[1]", "'ba'") { $0.merges = ["a b", "b a"] }
        expect("merges[0]", "''") { $0.merges = [" a"] }
        expect("tokens[0]", "5000 bytes") { $0.tokens[0] = String(repeating: "a", count: 5000) }
        expect("tokens[1]", "of 0") {
            ($0.model, $0.scores, $0.tokenTypes) = ("llama", [0, 0, 0, 0], [1, 4, 1, 3])
            ($0.tokens[0], $0.tokens[1]) = ("▁▁", "  ")
        }
    }

    @Test func tokensWithoutTextAreFillers() throws {
        var vocabulary = good
        vocabulary.tokens += ["", ""]
        vocabulary.tokenTypes? += [1, 3]
        let tokenizer = try Tokenizer(gguf: vocabulary)
        #expect(tokenizer.encode("ab", addSpecialTokens: true) == [2])
        #expect(tokenizer.decode([4, 2, 5], skipSpecialTokens: false) == "ab")
        #expect(tokenizer.vocabularySize == 6)
    }

    /// A merge's result is longer than its parts, so none can go in circles; one that is listed twice counts the last time.
    @Test func mergesInCirclesEnd() throws {
        var vocabulary = good
        vocabulary.tokens = ["a", "aa", "aaa", "aaaa"]
        vocabulary.tokenTypes = nil
        vocabulary.merges = ["a a", "aa a", "a aa", "aa aa", "aaa a", "a a"]
        let ids = try Tokenizer(gguf: vocabulary).encode(String(repeating: "a", count: 10_001), addSpecialTokens: false)
        #expect(ids.count < 10_001 && ids.allSatisfy { $0 < 4 })
    }

    /// Scores decide, not lengths or order; of equal ones the leftmost goes first.
    @Test func higherScoresMergeFirst() throws {
        let tokens = ["<unk>", "a", "b", "c", "ab", "bc", "aa"]
        func ids(_ text: String, _ scores: [Float]) throws -> [Int32] {
            var vocabulary = GGUFVocabulary(source: "model.gguf", model: "llama", tokens: tokens, tokenTypes: [2, 1, 1, 1, 1, 1, 1], scores: scores)
            vocabulary.addSpacePrefix = false
            return try Tokenizer(gguf: vocabulary).encode(text, addSpecialTokens: true)
        }
        #expect(try ids("abc", [0, -5, -5, -5, -1, -2, -3]) == [4, 3])
        #expect(try ids("abc", [0, -5, -5, -5, -2, -1, -3]) == [1, 5])
        #expect(try ids("abc", [0, -5, -5, -5, -1, -1, -1]) == [4, 3])
        #expect(try ids("aaa?!", [0, -5, -5, -5, -1, -1, -1]) == [6, 1, 0])
    }
}
