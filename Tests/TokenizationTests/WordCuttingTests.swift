import Testing
import Tokenization

/// How a byte-level GGUF vocabulary cuts words, by the name that llama.cpp gives it, as transformers 5 reads these names.
@Suite struct WordCuttingTests {
    private func tokenizer(_ pre: String?) throws -> Tokenizer {
        var vocabulary = GGUFVocabulary(source: "model.gguf", model: "gpt2", tokens: ["1", "11", "1111"], merges: ["1 1", "11 11"])
        (vocabulary.pre, vocabulary.addBeginningOfText) = (pre, false)
        return try Tokenizer(gguf: vocabulary)
    }

    @Test(
        arguments: [
            ("gpt-2", [2, 1]), ("smollm", [0, 0, 0, 0, 0, 0]), ("llama-bpe", [1, 0, 1, 0]), ("smaug-bpe", [1, 0, 1, 0]), ("falcon3", [1, 0, 1, 0]),
            ("qwen2", [0, 0, 0, 0, 0, 0]), ("deepseek-r1-qwen", [0, 0, 0, 0, 0, 0]), ("megrez", [0, 0, 0, 0, 0, 0]), ("tekken", [0, 0, 0, 0, 0, 0]),
        ] as [(String, [Int32])])
    func cutsDigits(pre: String, expected: [Int32]) throws {
        let tokenizer = try tokenizer(pre)
        #expect(tokenizer.encode("111111", addSpecialTokens: false) == expected)
        #expect(tokenizer.notes.isEmpty)
    }

    /// llama.cpp warns of it too: models whose words are cut otherwise get other tokens than they were trained on.
    @Test(arguments: [nil, "default"])
    func saysThatWordsAreAssumed(pre: String?) throws {
        let tokenizer = try tokenizer(pre)
        #expect(tokenizer.encode("111111", addSpecialTokens: false) == [2, 1])
        #expect(
            tokenizer.notes.count == 1 && tokenizer.notes[0].hasPrefix("model.gguf: tokenizer.ggml.pre is \(pre == nil ? "missing" : "'default'"), which does not say"))
    }
}
