import Documents
import Foundation
import TensorCore

// Reading the tokenizer of a Hugging Face directory: tokenizer.json, and what the files beside it add.

extension Pipeline {
    /// As transformers 5 does: words are cut and merged, and special tokens are put around a text, as tokenizer.json says; which tokens are found
    /// in the text itself depends on the files beside it too, and for some classes whether a space is put before it.
    init(directory: String) throws {
        let path = directory + "/tokenizer.json"
        try Self.requireTokenizer(path, in: directory)
        let root = try JSONNode(tokenizerFile: path)
        let settings = try TokenizerSettings(directory: directory)
        try self.init(root, settings: settings)
        notes = try Self.disagreements(of: settings, with: root, templates: templates, tokens: settings.isEmpty ? [:] : namedIDs(settings))
    }

    private static func requireTokenizer(_ path: String, in directory: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        let others = ["tokenizer.model", "vocab.json", "tekken.json", "tiktoken.model", "spiece.model"].filter {
            FileManager.default.fileExists(atPath: "\(directory)/\($0)")
        }
        throw BadInput(
            path,
            "there is no such file"
                + (others.isEmpty
                    ? ""
                    : ", only \(others.joined(separator: ", ")); "
                        + "transformers makes one: AutoTokenizer.from_pretrained(DIRECTORY).save_pretrained(DIRECTORY)"))
    }

    /// The ids of the special tokens that the settings name, by key.
    private func namedIDs(_ settings: TokenizerSettings) -> [String: Int32] {
        settings.named.reduce(into: [:]) { ids, named in
            ids[named.key] = model.pieces.id(of: named.token.content) ?? added.tokens.values.first { $0.content == named.token.content }?.id
        }
    }

    /// What the files beside tokenizer.json say otherwise, in one line each.
    private static func disagreements(
        of settings: TokenizerSettings, with root: JSONNode, templates: [Template], tokens: [String: Int32]
    ) throws -> [String] {
        var notes: [String] = []
        let before = templates.flatMap(\.before), after = templates.flatMap(\.after)
        for (flag, key, ids, place) in [
            (settings.addsBeginningOfText, "bos", before, "before"), (settings.addsEndOfText, "eos", after, "after"),
        ] {
            guard let flag else { continue }
            let adds = tokens["\(key)_token"].map(ids.contains) ?? !ids.isEmpty
            if flag != adds {
                notes.append(
                    "\(settings.file): add_\(key)_token is \(flag), but the post-processor of tokenizer.json puts "
                        + "\(adds ? "that token" : "no such token") \(place) a text; tokenizer.json counts, as in transformers 5")
            }
        }
        let shape = try PipelineShape(root), tokenizerClass = settings.tokenizerClass.applied(to: shape)
        if let name = tokenizerClass.name, let expected = tokenizerClass.shape, !expected.matches(shape) {
            notes.append(
                "\(settings.file): transformers 5 lets the class \(name) cut text otherwise than tokenizer.json says (\(shape.text)); "
                    + "tokenizer.json counts here, as it did when the model was trained")
        }
        let lost = settings.tokensOnlyIn(try root.optional("added_tokens")?.elements().map { try $0.required("content").exactString() } ?? [])
        if let first = lost.first, let name = tokenizerClass.name {
            notes.append(
                "\(settings.file): added_tokens_decoder lacks \(lost.count) of the added tokens of tokenizer.json, '\(first.string.onOneLine)' for one; "
                    + "transformers 5 lets the class \(name) know none of them; tokenizer.json counts here")
        }
        if tokenizerClass.shape == nil, let flag = settings.addsPrefixSpace, let own = shape.addsPrefixSpace, own != flag {
            notes.append("\(settings.file): add_prefix_space is \(flag), in tokenizer.json it is \(own); tokenizer.json counts, as in transformers 5")
        }
        return notes
    }
}

/// How a tokenizer.json cuts text, without what does not change tokens.
struct PipelineShape {
    let normalizer: String
    let preTokenizer: String
    let ignoresMerges: Bool
    /// Of its ByteLevel, if there is one.
    let addsPrefixSpace: Bool?
    /// Whether "▁" is put before a text.
    let marksStart: Bool

    init(_ root: JSONNode) throws {
        let normalizers = try Self.leaves(root.optional("normalizer"), "normalizers"), steps = try Self.leaves(root.optional("pre_tokenizer"), "pretokenizers")
        normalizer = try normalizers.map(Self.text).joined(separator: " ")
        preTokenizer = try steps.map(Self.text).joined(separator: " ")
        ignoresMerges = try root.required("model").boolean("ignore_merges", default: false)
        addsPrefixSpace = try steps.first { try $0.required("type").string() == "ByteLevel" }?.boolean("add_prefix_space", default: true)
        let marks = try steps.contains { try $0.required("type").string() == "Metaspace" && Metaspace($0).prefix != .never }
        marksStart = try marks || normalizers.contains { try $0.required("type").string() == "Prepend" }
    }

    init(normalizer: String, preTokenizer: String) {
        (self.normalizer, self.preTokenizer, ignoresMerges) = (normalizer, preTokenizer, false)
        (addsPrefixSpace, marksStart) = (nil, false)
    }

    /// Whether another cuts the same: where a space has become "▁" there is none left to split at.
    func matches(_ other: PipelineShape) -> Bool {
        normalizer == other.normalizer && ignoresMerges == other.ignoresMerges
            && (preTokenizer == other.preTokenizer || normalizer == PipelineShape.marking && other.preTokenizer.isEmpty)
    }

    static let marking = "Replace(' ', '\u{2581}')"

    var text: String {
        [normalizer, preTokenizer, ignoresMerges ? "ignore_merges" : ""].filter { !$0.isEmpty }.joined(separator: ", ").onOneLine
    }

    /// The components of a sequence of sequences, in order.
    private static func leaves(_ node: JSONNode?, _ list: String) throws -> [JSONNode] {
        guard let node else { return [] }
        guard try node.required("type").string() == "Sequence" else { return [node] }
        return try node.required(list).elements().flatMap { try leaves($0, list) }
    }

    private static func text(_ node: JSONNode) throws -> String {
        func pattern() throws -> String {
            let pattern = try node.required("pattern")
            if let literal = try pattern.optional("String") { return "'\(try literal.string())'" }
            return try pattern.required("Regex").string()
        }
        let type = try node.required("type").string()
        switch type {
        case "Replace": return "Replace(\(try pattern()), '\(try node.required("content").string())')"
        case "Split": return "Split(\(try pattern()), \(try node.required("behavior").string()))"
        case "Digits": return "Digits(\(try node.boolean("individual_digits", default: false) ? "individual" : "runs"))"
        case "ByteLevel": return try node.boolean("use_regex", default: true) ? "ByteLevel(words)" : "ByteLevel"
        case "Metaspace": return "Metaspace(\(try Metaspace(node).prefix.rawValue))"
        default: return type
        }
    }
}
