import Documents
import TensorCore

// Reading a Hugging Face tokenizer.json.

extension Pipeline {
    /// tokenizer.json alone.
    init(contentsOf path: String) throws {
        try self.init(JSONNode(tokenizerFile: path), settings: nil)
    }

    /// - Parameter settings: what stands beside it.
    init(_ root: JSONNode, settings: TokenizerSettings?) throws {
        try root.refuseKeys(otherThan: JSONNode.keysOfFile)
        let model = try BytePairModel(root.required("model"))
        let own = try Self.addedTokens(root, model: model), added = settings?.merged(with: own, pieces: model.pieces) ?? own
        if let problem = AddedVocabulary.problem(with: added) { throw root.fail(problem) }
        let normalizer = try Self.component("normalizer", of: root, Normalizer.init)
        let templates = try root.optional("post_processor").map(Template.list) ?? []
        let special = SpecialTokens(added, templates, settings)
        self.init(
            added: AddedVocabulary(added) { normalizer?.apply($0, marksStart: true) ?? $0 },
            normalizer: normalizer,
            preTokenizer: try Self.preTokenizer(root, settings),
            model: model,
            templates: templates,
            decoder: try Self.component("decoder", of: root, TokenDecoder.init),
            beginningOfText: special.beginningOfText,
            endOfText: special.endOfText)
        for id in templates.flatMap({ $0.before + $0.after }) where text(of: id) == nil {
            throw try root.required("post_processor").fail("adds the id \(id), which is not in the vocabulary")
        }
    }

    private static func preTokenizer(_ root: JSONNode, _ settings: TokenizerSettings?) throws -> PreTokenizer? {
        let own = try component("pre_tokenizer", of: root, PreTokenizer.init)
        guard let settings else { return own }
        if settings.tokenizerClass.setsPrefixSpace { return own?.prefixingSpace(settings.addsPrefixSpace ?? false) }
        let shape = try PipelineShape(root)
        if case .llama = settings.tokenizerClass.applied(to: shape), shape.marksStart != settings.addsPrefixSpace ?? true {
            let flag = settings.addsPrefixSpace.map { "\($0)" } ?? "not given, which is true"
            throw BadInput(
                "\(settings.file), add_prefix_space",
                "is \(flag), but tokenizer.json \(shape.marksStart ? "puts" : "does not put") a space "
                    + "before a text; save the tokenizer again with transformers")
        }
        return own
    }

    private static let mostComponentObjects = 64  // published ones have some ten

    private static func component<Component: Growing>(
        _ name: String, of root: JSONNode, _ read: (JSONNode) throws -> Component
    ) throws -> Component? {
        guard let node = try root.optional(name) else { return nil }
        let objects = node.value?.objectCount ?? 0
        guard objects <= mostComponentObjects else {
            throw node.fail("has \(objects) objects; expected at most \(mostComponentObjects)")
        }
        let component = try read(node)
        guard component.growth <= Component.largestGrowth else {
            throw node.fail("can make a text \(component.growth) times as long; expected at most \(Component.largestGrowth) times")
        }
        return component
    }

    /// An id must not have two texts, nor a text two ids.
    private static func addedTokens(_ root: JSONNode, model: BytePairModel) throws -> [AddedToken] {
        var ids: [ExactString: Int32] = [:]
        var texts: [Int32: ExactString] = [:]
        let nodes = try root.optional("added_tokens")
        let added: [AddedToken] =
            try nodes?.elements().map { node in
                let token = try AddedToken(node)
                if let other = ids[token.content] ?? model.pieces.id(of: token.content), other != token.id {
                    throw node.fail("gives '\(token.content.string)' the id \(token.id), elsewhere it is \(other)")
                }
                if let other = texts[token.id] ?? model.pieces.text(of: token.id), other != token.content {
                    throw node.fail("gives the id \(token.id) to '\(token.content.string)', elsewhere it is '\(other.string)'")
                }
                ids[token.content] = token.id
                texts[token.id] = token.content
                return token
            } ?? []
        if let problem = AddedVocabulary.problem(with: added) { throw nodes?.fail(problem) ?? root.fail(problem) }
        return added
    }
}

extension AddedToken {
    init(_ node: JSONNode) throws {
        try node.refuseKeys(otherThan: JSONNode.keysOfAddedToken)
        id = try node.required("id").index()
        content = try node.required("content").tokenText()
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
        try node.refuseKeys(otherThan: JSONNode.keysOfModel)
        pieces = try Self.vocabulary(node.required("vocab"))
        merges = .listed(try Self.merges(node.required("merges"), pieces: pieces))
        unknown = try node.optional("unk_token").map { token in
            guard let id = pieces.id(of: try token.exactString()) else {
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
        if let dropout = try node.optional("dropout"), dropout.value?.double != 0 {
            throw dropout.fail("dropout is not supported, expected null or 0")
        }
    }

    private static func vocabulary(_ node: JSONNode) throws -> TokenTable {
        do {
            return try TokenTable(node.members().map { (try text($0, in: node), try index($0, in: node)) })
        } catch TokenTable.Clash.text(let text, _) {
            throw node.fail("has '\(text.string)' twice")
        } catch TokenTable.Clash.id(let id, let texts) {
            throw node.fail("gives the id \(id) to '\(texts.0.string)' and to '\(texts.1.string)'")
        }
    }

    private static func text(_ member: JSONObject.Member, in node: JSONNode) throws -> ExactString {
        let text = ExactString(member.key)
        if let problem = TokenTable.problem(with: text) { throw node.fail(problem) }
        return text
    }

    private static func index(_ member: JSONObject.Member, in node: JSONNode) throws -> Int32 {
        try member.value.index ?? JSONNode(value: member.value, file: node.file, path: "\(node.path)['\(member.key)']").index()
    }

    private static func merges(_ node: JSONNode, pieces: TokenTable) throws -> [TokenPair: Merge] {
        let values = try node.values()
        var merges = MergeList(pieces: pieces, capacity: values.count)
        for (index, value) in values.enumerated() {
            let problem =
                switch value {
                case .string(let line): merges.append(line: ExactString(line))
                case .array(let parts): merges.append(try parts.map { try mergePart($0, in: node, at: index).utf8[...] })
                default: "expected a pair of tokens, found \(value.kind)"
                }
            if let problem { throw node.element(value, at: index).fail(problem) }
        }
        return merges.byPair
    }

    private static func mergePart(_ value: JSONValue, in node: JSONNode, at index: Int) throws -> ExactString {
        if case .string(let text) = value { return ExactString(text) }
        throw node.element(value, at: index).fail("expected two strings, found \(value.kind)")
    }
}

/// The tokens that start and end a text, which tokenizer.json does not name as such; tokenizer_config.json does.
private struct SpecialTokens {
    let beginningOfText: Int32?
    let endOfText: Int32?

    /// Those that the settings name come first.
    init(_ added: [AddedToken], _ templates: [Template], _ settings: TokenizerSettings?) {
        func declared(_ key: String) -> Int32? {
            settings?.named.first { $0.key == key }.flatMap { named in added.first { $0.content == named.token.content }?.id }
        }
        func named(_ names: [String]) -> Int32? {
            names.lazy.compactMap { name in added.first { $0.isSpecial && $0.content == ExactString(name) }?.id }.first
        }
        beginningOfText =
            declared("bos_token") ?? templates.lazy.compactMap(\.before.first).first ?? named(["<|begin_of_text|>", "<bos>", "<s>"])
        endOfText =
            declared("eos_token") ?? templates.lazy.compactMap(\.after.last).first
            ?? named(["<|end_of_text|>", "<eos>", "</s>", "<|endoftext|>"])
    }
}
