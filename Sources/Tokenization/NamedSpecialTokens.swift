import Documents

/// The special tokens that tokenizer_config.json and special_tokens_map.json name, as transformers 5 reads them.
///
/// `bos_token` and the other usual ones, or else those that the tokenizer's class has; null takes one away. Others: any text or AddedToken whose
/// key ends in `_token`, and those of `extra_special_tokens` and `model_specific_special_tokens` where these are objects. Without a name:
/// `extra_special_tokens`, or by its old name `additional_special_tokens`, where it is a list.
struct NamedSpecialTokens {
    private static let usual = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]

    private var usual: [String: AddedToken] = [:]
    private var others: [(key: String, token: AddedToken)] = []
    /// Of objects of tokens; go over `others` of the same name.
    private var explicit: [(key: String, token: AddedToken)] = []
    private(set) var extra: [AddedToken] = []

    /// - Parameter map: special_tokens_map.json, which goes over the configuration.
    init(configuration: JSONNode?, map: JSONNode?, of tokenizerClass: TokenizerClass) throws {
        for (key, text) in tokenizerClass.specialTokens { usual[key] = AddedToken(id: 0, content: ExactString(text), isSpecial: true) }
        let listsExtra = try configuration.map { try read($0) } ?? false
        if let map { try read(map: map, listsExtra: listsExtra) }
    }

    /// In the order in which they get ids.
    var inOrder: [(key: String, token: AddedToken)] {
        let usual = explicit.reduce(into: usual) { if Self.usual.contains($1.key) { $0[$1.key] = $1.token } }
        var all = Self.usual.compactMap { key in usual[key].map { (key: key, token: $0) } }
        for (key, token) in others + explicit { Self.set(&all, key, token) }
        return all
    }

    /// Returns whether there is a list without names.
    private mutating func read(_ node: JSONNode) throws -> Bool {
        for member in try node.members() {
            let key = member.key
            if Self.usual.contains(key) {
                usual[key] = try node.optional(key).map(AddedToken.init(special:))
            } else if key.hasSuffix("_token"), let value = try node.optional(key) {
                if case .string = value.value {
                    Self.set(&explicit, key, try AddedToken(special: value))
                } else if case .object = value.value, try value.optional("__type")?.string() == "AddedToken" {
                    Self.set(&others, key, try AddedToken(special: value))
                }
            }
        }
        let list = try readExtra(node)
        // Where there are other names, they take its place.
        if explicit.isEmpty, let specific = try node.optional("model_specific_special_tokens") { explicit = try Self.tokens(specific) }
        return list
    }

    private mutating func readExtra(_ node: JSONNode) throws -> Bool {
        var isList = false
        if let tokens = try node.optional("extra_special_tokens") {
            if case .object = tokens.value {
                for (key, token) in try Self.tokens(tokens) { Self.set(&explicit, key, token) }
            } else {
                extra = try Self.list(tokens)
                isList = true
            }
        }
        if extra.isEmpty, let tokens = try node.optional("additional_special_tokens") {
            extra = try Self.list(tokens)
            isList = true
        }
        return isList
    }

    private mutating func read(map: JSONNode, listsExtra: Bool) throws {
        var listsExtra = listsExtra
        for member in try map.members() {
            let key = member.key
            let value = try map.optional(key)
            if Self.usual.contains(key) {
                usual[key] = try value.map(AddedToken.init(special:))
            } else if key.hasSuffix("_token"), let value {
                Self.set(&others, key, try AddedToken(special: value))
            }
        }
        if let tokens = try map.optional("extra_special_tokens") {
            if case .object = tokens.value {
                for (key, token) in try Self.tokens(tokens) { Self.set(&explicit, key, token) }
                (extra, listsExtra) = ([], false)
            } else {
                let known = Set(extra.map(\.content))
                extra += try Self.list(tokens).filter { !known.contains($0.content) }
                listsExtra = true
            }
        }
        if !listsExtra, let tokens = try map.optional("additional_special_tokens") { extra = try Self.list(tokens) }
    }

    private static func list(_ node: JSONNode) throws -> [AddedToken] { try node.elements().map { try AddedToken(special: $0) } }

    private static func tokens(_ node: JSONNode) throws -> [(key: String, token: AddedToken)] {
        try node.members().map { ($0.key, try AddedToken(special: node.required($0.key))) }
    }

    private static func set(_ list: inout [(key: String, token: AddedToken)], _ key: String, _ token: AddedToken) {
        if let index = list.firstIndex(where: { $0.key == key }) { list[index].token = token } else { list.append((key, token)) }
    }
}
