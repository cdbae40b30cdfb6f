import TensorCore

// Building the pipeline that a GGUF file's metadata name.

extension Pipeline {
    init(_ vocabulary: GGUFVocabulary) throws {
        try vocabulary.validate()
        switch vocabulary.model {
        case "gpt2": try self.init(byteLevel: vocabulary)
        case "llama": try self.init(sentencePiece: vocabulary)
        default: throw vocabulary.fail("model", "unknown tokenizer '\(vocabulary.model)', known: gpt2, llama")
        }
    }

    private init(byteLevel vocabulary: GGUFVocabulary) throws {
        let words = try ByteLevelWords(vocabulary)
        let pieces = try vocabulary.pieces()
        var merges = MergeList(pieces: pieces)
        for (index, line) in vocabulary.merges.enumerated() {
            if let problem = merges.append(MergeList.parts(of: ExactString(line))) {
                throw vocabulary.fail("merges[\(index)]", problem)
            }
        }
        let model = BytePairModel(pieces: pieces, merges: .listed(merges.byPair), ignoresMerges: words.ignoresMerges)
        self.init(
            vocabulary, model: model, normalizer: words.normalizer, preTokenizer: words.preTokenizer,
            decoder: .byteLevel, addsBeginningOfText: words.addsBeginningOfText)
    }

    private init(sentencePiece vocabulary: GGUFVocabulary) throws {
        guard let scores = vocabulary.scores else { throw vocabulary.fail("scores", "missing, a llama tokenizer needs them") }
        if let index = scores.firstIndex(where: { !$0.isFinite }) {
            throw vocabulary.fail("scores[\(index)]", "expected a finite number, found \(scores[index])")
        }
        let pieces = try vocabulary.pieces()
        let mergeable = pieces.filter { vocabulary.type(of: $0.value).isMergeable }
        let model = BytePairModel(
            pieces: mergeable,
            merges: .scored(ScoredPieces(mergeable.map { ($0.key, $0.value, scores[Int($0.value)]) })),
            unknown: vocabulary.unknown ?? vocabulary.firstUnknown, fusesUnknown: true,
            byteTokens: BytePairModel.byteTokens(in: pieces))

        let spaces = (pattern: TextPattern(literal: ExactString(" ")), marker: wordStartMarker)
        let marking = Normalizer.replace(spaces.pattern, with: spaces.marker)
        let unmarking = TokenDecoder.replace(TextPattern(literal: spaces.marker), with: ExactString(" "))
        let prefixes = vocabulary.addSpacePrefix ?? true
        self.init(
            vocabulary, model: model,
            normalizer: prefixes ? .sequence([.prepend(wordStartMarker), marking]) : marking,
            preTokenizer: nil,
            decoder: .sequence([unmarking, .byteFallback, .fuse] + (prefixes ? [.strip(" ", start: 1, stop: 0)] : [])),
            addsBeginningOfText: true)
    }

    private init(
        _ vocabulary: GGUFVocabulary, model: BytePairModel, normalizer: Normalizer?, preTokenizer: PreTokenizer?,
        decoder: TokenDecoder, addsBeginningOfText: Bool
    ) {
        let first = vocabulary.addBeginningOfText ?? addsBeginningOfText ? vocabulary.beginningOfText : nil
        let last = vocabulary.addEndOfText ?? false ? vocabulary.endOfText : nil
        self.init(
            texts: Dictionary(uniqueKeysWithValues: zip(Int32(0)..., vocabulary.tokens.map(ExactString.init))),
            added: vocabulary.addedTokens, normalizer: normalizer, preTokenizer: preTokenizer, model: model,
            templates: [Template(before: first.map { [$0] } ?? [], after: last.map { [$0] } ?? [])], decoder: decoder,
            beginningOfText: vocabulary.beginningOfText, endOfText: vocabulary.endOfText)
    }
}

/// How the byte-level tokenizer of a GGUF file cuts text into words, by the name in its `pre`.
private struct ByteLevelWords {
    var normalizer: Normalizer?
    let preTokenizer: PreTokenizer
    var ignoresMerges = false
    var addsBeginningOfText = false

    init(_ vocabulary: GGUFVocabulary) throws {
        switch vocabulary.pre {
        case nil, "gpt-2": preTokenizer = try Self.split(WordPattern.gpt2)
        case "smollm": preTokenizer = .sequence([.digits(.isolated), try Self.split(WordPattern.gpt2)])
        case "llama-bpe", "llama3", "llama-v3":
            preTokenizer = try Self.split(WordPattern.llama3)
            ignoresMerges = true
            addsBeginningOfText = true
        case "qwen2":
            preTokenizer = try Self.split(WordPattern.qwen2)
            normalizer = .nfc
        case let other?:
            throw vocabulary.fail(
                "pre", "unknown way to cut words '\(other)', known: gpt-2, smollm, llama-bpe, llama3, llama-v3, qwen2")
        }
    }

    private static func split(_ words: String) throws -> PreTokenizer {
        .byteLevel(words: try TextPattern(expression: words), addsPrefixSpace: false)
    }
}

private enum TokenType: Int32 {
    case normal = 1, unknown, control, userDefined, unused, byte

    /// Whether SentencePiece may merge it and into it.
    var isMergeable: Bool { self == .normal || self == .userDefined }
}

extension GGUFVocabulary {
    fileprivate func fail(_ key: String, _ problem: String) -> BadInput {
        BadInput("\(source), tokenizer.ggml.\(key)", problem)
    }

    fileprivate func validate() throws {
        guard !tokens.isEmpty, tokens.count <= Int(Int32.max) else {
            throw fail("tokens", "expected at least one token, found \(tokens.count)")
        }
        for (key, count) in [("token_type", tokenTypes?.count), ("scores", scores?.count)] {
            guard let count, count != tokens.count else { continue }
            throw fail(key, "expected one for each of the \(tokens.count) tokens, found \(count)")
        }
        for (key, id) in [("bos_token_id", beginningOfText), ("eos_token_id", endOfText), ("unknown_token_id", unknown)] {
            guard let id, !tokens.indices.contains(Int(id)) else { continue }
            throw fail(key, "\(id) is not the id of one of the \(tokens.count) tokens")
        }
        if let index = tokenTypes?.firstIndex(where: { TokenType(rawValue: $0) == nil }), let type = tokenTypes?[index] {
            throw fail("token_type[\(index)]", "expected a type from 1 to 6, found \(type)")
        }
    }

    fileprivate func type(of id: Int32) -> TokenType {
        tokenTypes.flatMap { TokenType(rawValue: $0[Int(id)]) } ?? .normal
    }

    fileprivate var firstUnknown: Int32? {
        tokens.indices.lazy.map { Int32($0) }.first { type(of: $0) == .unknown }
    }

    /// Ids by text. Tokens without text, which some files use to fill up, are left out.
    fileprivate func pieces() throws -> [ExactString: Int32] {
        var pieces: [ExactString: Int32] = [:]
        for (index, token) in tokens.enumerated() where !token.isEmpty {
            if let other = pieces.updateValue(Int32(index), forKey: ExactString(token)) {
                throw fail("tokens[\(index)]", "'\(token)' is already the text of \(other)")
            }
        }
        return pieces
    }

    /// The tokens that are found in text before words are cut.
    fileprivate var addedTokens: [AddedToken] {
        tokens.indices.compactMap { index in
            let id = Int32(index)
            let content = ExactString(tokens[index])
            return switch type(of: id) {
            case .unknown, .control: AddedToken(id: id, content: content, isSpecial: true)
            case .userDefined: AddedToken(id: id, content: content, isSpecial: false)
            case .normal, .unused, .byte: nil
            }
        }
    }
}
