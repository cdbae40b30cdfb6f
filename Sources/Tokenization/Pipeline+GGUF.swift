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
        var merges = MergeList(pieces: pieces, capacity: vocabulary.merges.count)
        for (index, line) in vocabulary.merges.enumerated() {
            if let problem = merges.append(line: ExactString(line)) { throw vocabulary.fail("merges[\(index)]", problem) }
        }
        let model = BytePairModel(pieces: pieces, merges: .listed(merges.byPair), ignoresMerges: words.ignoresMerges)
        self.init(
            added: try AddedVocabulary(vocabulary.addedTokens()) { $0 }, normalizer: words.normalizer, preTokenizer: words.preTokenizer, model: model,
            templates: [try vocabulary.template(beginsText: words.addsBeginningOfText)], decoder: .byteLevel,
            beginningOfText: vocabulary.beginningOfText, endOfText: vocabulary.endOfText)
        if words.areAssumed {
            let pre = vocabulary.pre.map { "is '\($0)'" } ?? "is missing"
            notes = [
                "\(vocabulary.source): tokenizer.ggml.pre \(pre), which does not say how the model's words are cut; "
                    + "they are cut as GPT-2's. For another model convert it again with a newer llama.cpp"
            ]
        }
    }

    private init(sentencePiece vocabulary: GGUFVocabulary) throws {
        let pieces = try vocabulary.pieces()
        let model = BytePairModel(
            pieces: pieces,
            merges: .scored(ScoredPieces(pieces: pieces, priorities: try vocabulary.mergePriorities())),
            unknown: vocabulary.unknown ?? vocabulary.firstUnknown, fusesUnknown: true,
            byteTokens: BytePairModel.byteTokens(in: pieces))

        let marking = Normalizer.replace(TextPattern(literal: ExactString(" ")), with: wordStartMarker)
        let unmarking = TokenDecoder.replace(TextPattern(literal: wordStartMarker), with: ExactString(" "))
        let prefixes = vocabulary.addSpacePrefix ?? true
        var added = try vocabulary.addedTokens()
        // SentencePiece puts the marker before the text and then looks for user-defined tokens.
        for index in added.indices where prefixes && !added[index].isSpecial { added[index].isNormalized = true }
        self.init(
            added: AddedVocabulary(added) { marking.apply($0, marksStart: false) },
            normalizer: prefixes ? .sequence([.prepend(wordStartMarker), marking]) : marking, preTokenizer: nil, model: model,
            templates: [try vocabulary.template(beginsText: true)],
            decoder: .sequence([unmarking, .byteFallback, .fuse] + (prefixes ? [.strip(" ", start: 1, stop: 0)] : [])),
            beginningOfText: vocabulary.beginningOfText, endOfText: vocabulary.endOfText)
    }
}

extension GGUFVocabulary {
    /// What goes before and after a text; `beginsText`: a beginning, where the file does not say.
    fileprivate func template(beginsText: Bool) throws -> Template {
        for (key, flag, id) in [("bos", addBeginningOfText, beginningOfText), ("eos", addEndOfText, endOfText)] where flag == true && id == nil {
            throw fail("add_\(key)_token", "is true, but there is no \(key)_token_id")
        }
        let first = addBeginningOfText ?? beginsText ? beginningOfText : nil, last = addEndOfText ?? false ? endOfText : nil
        return Template(before: first.map { [$0] } ?? [], after: last.map { [$0] } ?? [])
    }
}

/// How the byte-level tokenizer of a GGUF file cuts text into words, by the name in its `pre`.
private struct ByteLevelWords {
    var normalizer: Normalizer?
    let preTokenizer: PreTokenizer
    var ignoresMerges = false
    var addsBeginningOfText = false
    /// The file does not say.
    var areAssumed = false

    init(_ vocabulary: GGUFVocabulary) throws {
        switch vocabulary.pre {
        case nil, "default":
            preTokenizer = try Self.split(WordPattern.gpt2)
            areAssumed = true
        case "gpt-2": preTokenizer = try Self.split(WordPattern.gpt2)
        case "smollm": preTokenizer = .sequence([.digits(.isolated), try Self.split(WordPattern.gpt2)])
        case "llama-bpe", "llama3", "llama-v3", "smaug-bpe", "falcon3":
            preTokenizer = try Self.split(WordPattern.llama3)
            ignoresMerges = true
            addsBeginningOfText = true
        case "qwen2":
            preTokenizer = try Self.split(WordPattern.qwen2)
            normalizer = .nfc
        case "deepseek-r1-qwen", "megrez": preTokenizer = try Self.split(WordPattern.qwen2)
        case "tekken":
            preTokenizer = try Self.split(WordPattern.tekken)
            ignoresMerges = true
            addsBeginningOfText = true
        case let other?:
            throw vocabulary.fail(
                "pre",
                "unknown way to cut words '\(other)', known: default, gpt-2, smollm, llama-bpe, llama3, llama-v3, smaug-bpe, falcon3, "
                    + "qwen2, deepseek-r1-qwen, megrez, tekken")
        }
    }

    private static func split(_ words: String) throws -> PreTokenizer {
        .byteLevel(words: try TextPattern(expression: words), addsPrefixSpace: false)
    }
}

private enum TokenType: Int32 {
    case normal = 1, unknown, control, userDefined, unused, byte
}

extension GGUFVocabulary {
    fileprivate func fail(_ key: String, _ problem: String) -> BadInput {
        BadInput("\(source), tokenizer.ggml.\(key)", problem.onOneLine)
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

    /// Tokens without text, which some files use to fill up, are left out.
    fileprivate func pieces() throws -> TokenTable {
        var texts: [(text: ExactString, id: Int32)] = []
        texts.reserveCapacity(tokens.count)
        for index in tokens.indices where !tokens[index].isEmpty {
            let text = text(of: Int32(index))
            if let problem = TokenTable.problem(with: text) { throw fail("tokens[\(index)]", problem) }
            texts.append((text, Int32(index)))
        }
        do { return try TokenTable(texts) } catch TokenTable.Clash.text(let text, let ids) {
            throw fail("tokens[\(ids.1)]", "'\(text.string)' is already the text of \(ids.0)")
        }
    }

    /// As the vocabulary that the file was made from spells it: of an added token that is nothing but spaces llama.cpp's
    /// converter writes spaces where the SentencePiece vocabulary has "▁".
    private func text(of id: Int32) -> ExactString {
        let token = ExactString(tokens[Int(id)])
        guard model == "llama", type(of: id) == .userDefined, token.utf8.allSatisfy({ $0 == UInt8(ascii: " ") }) else { return token }
        return ExactString(utf8: token.utf8.flatMap { _ in wordStartMarker.utf8 })
    }

    /// The order in which pieces result from merges: by falling score, but user-defined ones, for which llama.cpp's
    /// converter writes a score of −1000, before all others by id, as in the vocabularies that have them.
    fileprivate func mergePriorities() throws -> [Int] {
        guard let scores else { throw fail("scores", "missing, a llama tokenizer needs them") }
        return try scores.indices.map { index in
            guard scores[index].isFinite else {
                throw fail("scores[\(index)]", "expected a finite number, found \(scores[index])")
            }
            if type(of: Int32(index)) == .userDefined { return index }
            let bits = (scores[index] + 0).bitPattern  // −0 becomes 0
            let ascending = bits >> 31 == 0 ? bits | 1 << 31 : ~bits  // orders as the scores do
            return (1 << 32) + Int(UInt32.max - ascending)
        }
    }

    /// The tokens that are found in text before words are cut.
    fileprivate func addedTokens() throws -> [AddedToken] {
        let added: [AddedToken] = tokens.indices.compactMap { index in
            let id = Int32(index)
            return switch type(of: id) {
            case .unknown, .control: AddedToken(id: id, content: text(of: id), isSpecial: true)
            case .userDefined: AddedToken(id: id, content: text(of: id), isSpecial: false)
            case .normal, .unused, .byte: nil
            }
        }
        if let problem = AddedVocabulary.problem(with: added) { throw fail("tokens", problem) }
        return added
    }
}
