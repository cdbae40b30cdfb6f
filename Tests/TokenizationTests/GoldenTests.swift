import Testing
import Tokenization

/// Hugging Face's ids and texts, family by family and component by component.
@Suite struct GoldenTests {
    @Test(arguments: Fixture.families + Fixture.components)
    func agreesWithReference(name: String) throws {
        let tokenizer = try Tokenizer(contentsOf: Fixture(name).tokenizerPath)
        let cases = try Fixture(name).cases()
        #expect(cases.count >= 28)
        for item in cases {
            let plain = tokenizer.encode(item.text, addSpecialTokens: false)
            #expect(tokenizer.encode(item.text, addSpecialTokens: true) == item.ids, "\(item.text.debugDescription)")
            #expect(plain == item.ids_without_special, "\(item.text.debugDescription)")
            let decoded = tokenizer.decode(plain, skipSpecialTokens: false)
            #expect(sameBytes(decoded, item.decoded ?? ""), "\(item.text.debugDescription), got \(decoded.debugDescription)")
        }
    }

    @Test func allComponentFixturesAreThere() {
        #expect(Fixture.components.count == 23)
    }

    @Test(
        arguments: [
            ("gpt2", nil), ("gpt2", "gpt-2"), ("gpt2", "default"), ("smollm2", "smollm"), ("llama3", "llama-bpe"), ("qwen2", "qwen2"),
            ("components/tekken", "tekken"),
        ] as [(String, String?)])
    func metadataGiveTheSameIds(name: String, pre: String?) throws {
        let vocabulary = try Fixture(name).decode("tokenizer.json", as: PlainVocabulary.self).gguf(pre: pre)
        let tokenizer = try Tokenizer(gguf: vocabulary)
        for item in try Fixture(name).cases() {
            #expect(tokenizer.encode(item.text, addSpecialTokens: true) == item.ids, "\(item.text.debugDescription)")
            let decoded = tokenizer.decode(item.ids_without_special ?? [], skipSpecialTokens: false)
            #expect(sameBytes(decoded, item.decoded ?? ""), "\(item.text.debugDescription)")
        }
        #expect(tokenizer.beginningOfText == 1 && tokenizer.endOfText == 0)
        #expect(tokenizer.vocabularySize == vocabulary.tokens.count)
    }
}

/// The ids that SentencePiece gives with the same pieces and scores.
@Suite struct SentencePieceTests {
    let fixture = Fixture("sentencepiece")

    func vocabulary() throws -> GGUFVocabulary {
        try fixture.decode("vocabulary.json", as: ScoredVocabulary.self).gguf()
    }

    @Test func agreesWithReference() throws {
        let tokenizer = try Tokenizer(gguf: vocabulary())
        for item in try fixture.cases() {
            #expect(tokenizer.encode(item.text, addSpecialTokens: false) == item.ids, "\(item.text.debugDescription)")
            #expect(tokenizer.encode(item.text, addSpecialTokens: true) == [1] + item.ids, "\(item.text.debugDescription)")
            #expect(sameBytes(tokenizer.decode(item.ids, skipSpecialTokens: false), item.text), "\(item.text.debugDescription)")
        }
    }

    @Test func marksOnlyWhereTheFileSaysSo() throws {
        var values = try vocabulary()
        let prefixing = try Tokenizer(gguf: values)
        values.addSpacePrefix = false
        values.addBeginningOfText = false
        values.addEndOfText = true
        let plain = try Tokenizer(gguf: values)
        #expect(plain.encode(" foo bar", addSpecialTokens: true) == prefixing.encode("foo bar", addSpecialTokens: false) + [2])
        #expect(plain.decode(plain.encode(" foo", addSpecialTokens: false), skipSpecialTokens: false) == " foo")
    }

    @Test func bytesAndUnusedPiecesHaveTexts() throws {
        let values = try vocabulary()
        let tokenizer = try Tokenizer(gguf: values)
        #expect(tokenizer.vocabularySize == values.tokens.count)
        let bytes = ["<0xC3>", "<0xA9>"].compactMap { values.tokens.firstIndex(of: $0).map(Int32.init) }
        #expect(tokenizer.decode(bytes, skipSpecialTokens: true) == "é")
        #expect(tokenizer.decode(Array(bytes.prefix(1)), skipSpecialTokens: true) == "\u{FFFD}")
    }
}

/// A GGUF file of Gemma: no space prefix, user-defined tokens of spaces, scores that llama.cpp's converter replaced.
@Suite struct GemmaMetadataTests {
    let fixture = Fixture("gguf-gemma")

    @Test func agreesWithReference() throws {
        let tokenizer = try Tokenizer(gguf: fixture.decode("vocabulary.json", as: ScoredVocabulary.self).gguf(addSpacePrefix: false))
        let cases = try fixture.cases()
        #expect(cases.count >= 60)
        for item in cases {
            #expect(tokenizer.encode(item.text, addSpecialTokens: true) == item.ids, "\(item.text.debugDescription)")
            #expect(tokenizer.encode(item.text, addSpecialTokens: false) == item.ids_without_special, "\(item.text.debugDescription)")
            let decoded = tokenizer.decode(item.ids_without_special ?? [], skipSpecialTokens: false)
            #expect(sameBytes(decoded, item.decoded ?? ""), "\(item.text.debugDescription), got \(decoded.debugDescription)")
        }
    }
}
