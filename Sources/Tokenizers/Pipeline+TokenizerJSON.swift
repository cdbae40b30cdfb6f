// Reading a Hugging Face tokenizer.json.

extension Pipeline {
    init(contentsOf path: String) throws {
        let root = try JSONReader.read(contentsOf: path)
        let model = try BytePairModel(root.required("model"))
        var texts = Dictionary(model.pieces.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
        let added = try Self.addedTokens(root, model: model, texts: &texts)
        let templates = try root.optional("post_processor").map(Template.list) ?? []
        let special = SpecialTokens(added, templates)
        self.init(
            texts: texts,
            added: added,
            normalizer: try root.optional("normalizer").map(Normalizer.init),
            preTokenizer: try root.optional("pre_tokenizer").map(PreTokenizer.init),
            model: model,
            templates: templates,
            decoder: try root.optional("decoder").map(TokenDecoder.init),
            beginningOfText: special.beginningOfText,
            endOfText: special.endOfText)
        for id in templates.flatMap({ $0.before + $0.after }) where texts[id] == nil {
            throw try root.required("post_processor").fail("adds the id \(id), which is not in the vocabulary")
        }
    }

    /// Enters them into `texts`; an id must not have two texts, nor a text two ids.
    private static func addedTokens(
        _ root: JSONNode, model: BytePairModel, texts: inout [Int32: ExactString]
    ) throws -> [AddedToken] {
        var ids = model.pieces
        return try root.optional("added_tokens")?.elements().map { node in
            let token = try AddedToken(node)
            if let other = ids[token.content], other != token.id {
                throw node.fail("gives '\(token.content.string)' the id \(token.id), elsewhere it is \(other)")
            }
            if let other = texts[token.id], other != token.content {
                throw node.fail("gives the id \(token.id) to '\(token.content.string)', elsewhere it is '\(other.string)'")
            }
            ids[token.content] = token.id
            texts[token.id] = token.content
            return token
        } ?? []
    }
}

extension AddedToken {
    init(_ node: JSONNode) throws {
        id = try node.required("id").index()
        content = try node.required("content").exactString()
        isSpecial = try node.boolean("special", default: false)
        isNormalized = try node.boolean("normalized", default: !isSpecial)
        isSingleWord = try node.boolean("single_word", default: false)
        stripsLeft = try node.boolean("lstrip", default: false)
        stripsRight = try node.boolean("rstrip", default: false)
    }
}

extension BytePairModel {
    init(_ node: JSONNode) throws {
        try Self.refuseOtherModels(node)
        pieces = try Self.vocabulary(node.required("vocab"))
        merges = .listed(try Self.merges(node.required("merges"), pieces: pieces))
        unknown = try node.optional("unk_token").map { token in
            guard let id = pieces[try token.exactString()] else {
                throw token.fail("'\(try token.string())' is not in the vocabulary")
            }
            return id
        }
        fusesUnknown = try node.boolean("fuse_unk", default: false)
        byteTokens = try node.boolean("byte_fallback", default: false) ? Self.byteTokens(in: pieces) : nil
        ignoresMerges = try node.boolean("ignore_merges", default: false)
    }

    private static func refuseOtherModels(_ node: JSONNode) throws {
        if let type = try node.optional("type"), try type.string() != "BPE" {
            throw type.fail("unknown model '\(try type.string())', expected BPE")
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = try node.optional(name), try !affix.string().isEmpty {
                throw affix.fail("'\(try affix.string())' is not supported, expected null")
            }
        }
        if let dropout = try node.optional("dropout"), case .number(let rate) = dropout.value, rate != 0 {
            throw dropout.fail("a dropout of \(rate) is not supported, expected null")
        }
    }

    private static func vocabulary(_ node: JSONNode) throws -> [ExactString: Int32] {
        var pieces: [ExactString: Int32] = [:]
        var owners: [Int32: ExactString] = [:]
        for member in try node.members() {
            let id = try index(member, in: node)
            guard pieces.updateValue(id, forKey: member.name) == nil else { throw node.fail("has '\(member.name.string)' twice") }
            if let other = owners.updateValue(member.name, forKey: id) {
                throw node.fail("gives the id \(id) to '\(other.string)' and to '\(member.name.string)'")
            }
        }
        return pieces
    }

    private static func index(_ member: JSONMember, in node: JSONNode) throws -> Int32 {
        if case .number(let number) = member.value, let id = Int32(exactly: number), id >= 0 { return id }
        return try JSONNode(value: member.value, file: node.file, path: "\(node.path)['\(member.name.string)']").index()
    }

    private static func merges(_ node: JSONNode, pieces: [ExactString: Int32]) throws -> [TokenPair: Merge] {
        var merges = MergeList(pieces: pieces)
        for (index, value) in try node.values().enumerated() {
            let problem =
                switch value {
                case .string(let line): merges.append(MergeList.parts(of: line))
                case .array(let parts): merges.append(try parts.map { try mergePart($0, in: node, at: index) })
                default: "expected a pair of tokens, found \(value.kind)"
                }
            if let problem { throw node.element(value, at: index).fail(problem) }
        }
        return merges.byPair
    }

    private static func mergePart(_ value: JSONValue, in node: JSONNode, at index: Int) throws -> ExactString {
        if case .string(let text) = value { return text }
        throw node.element(value, at: index).fail("expected two strings, found \(value.kind)")
    }
}

/// Merges in the order of their rank, as they are read from a file.
struct MergeList {
    let pieces: [ExactString: Int32]
    private(set) var byPair: [TokenPair: Merge] = [:]
    private var count: Int32 = 0

    init(pieces: [ExactString: Int32]) {
        self.pieces = pieces
    }

    /// Of the spelling "left right".
    static func parts(of line: ExactString) -> [ExactString] {
        line.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map { ExactString(utf8: $0) }
    }

    /// Adds the next merge, or says what is wrong with it.
    mutating func append(_ parts: [ExactString]) -> String? {
        guard parts.count == 2 else { return "expected a pair of tokens, found \(parts.count)" }
        var ids: [Int32] = []
        for piece in [parts[0], parts[1], parts[0] + parts[1]] {
            guard let id = pieces[piece] else { return "'\(piece.string)' is not in the vocabulary" }
            ids.append(id)
        }
        byPair[TokenPair(left: ids[0], right: ids[1])] = Merge(rank: count, result: ids[2])
        count += 1
        return nil
    }
}

/// The tokens that start and end a text, which tokenizer.json does not name as such.
private struct SpecialTokens {
    let beginningOfText: Int32?
    let endOfText: Int32?

    init(_ added: [AddedToken], _ templates: [Template]) {
        func named(_ names: [String]) -> Int32? {
            names.lazy.compactMap { name in added.first { $0.isSpecial && $0.content == ExactString(name) }?.id }.first
        }
        beginningOfText =
            templates.lazy.compactMap(\.before.first).first ?? named(["<|begin_of_text|>", "<bos>", "<s>"])
        endOfText =
            templates.lazy.compactMap(\.after.last).first
            ?? named(["<|end_of_text|>", "<eos>", "</s>", "<|endoftext|>"])
    }
}
