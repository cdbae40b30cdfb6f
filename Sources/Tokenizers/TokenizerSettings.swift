import Foundation
import TensorCore

/// What the files beside a tokenizer.json say that changes tokens: tokenizer_config.json, special_tokens_map.json and added_tokens.json.
///
/// Read as transformers 5 reads them where there is a tokenizer.json:
/// - `added_tokens_decoder` (or else added_tokens.json), `bos_token` and the other special tokens (in special_tokens_map.json too, unless there is
///   an `added_tokens_decoder`), `extra_special_tokens`, `additional_special_tokens` and any other text whose key ends in `_token`: found in texts
///   from then on. An `added_tokens_decoder` also says how a token of tokenizer.json is found.
/// - `tokenizer_class` and `add_prefix_space`: see ``TokenizerClass``.
/// - `add_bos_token`, `add_eos_token`: nothing. The post-processor of tokenizer.json counts; where they contradict it, that is said.
///
/// Refused: `split_special_tokens`, `fix_mistral_regex`, and `fast_tokenizer_files` other than tokenizer.json. All other keys change no token of a text
/// that is encoded by itself: `chat_template`, the lengths, sides and strategies of padding and truncation (which nothing asks for here), what cleans
/// up decoded text (`clean_up_tokenization_spaces`; transformers 5 does not do it for these classes), `do_lower_case` and others of classes
/// that are not known here, `auto_map`, and whatever else, which transformers only keeps.
struct TokenizerSettings {
    /// The file that most of it stands in, for messages.
    let file: String
    /// No such file is there.
    let isEmpty: Bool
    /// By falling precedence in the order in which they get ids.
    private(set) var declared: [AddedToken] = []
    private(set) var named: [(key: String, token: AddedToken)] = []
    private(set) var extra: [AddedToken] = []
    let addsBeginningOfText: Bool?
    let addsEndOfText: Bool?
    let addsPrefixSpace: Bool?
    let tokenizerClass: TokenizerClass

    private static let attributes = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
    private static let mostTokens = 1 << 20

    init(directory: String) throws {
        func read(_ name: String) throws -> JSONNode? {
            let path = "\(directory)/\(name)"
            return FileManager.default.fileExists(atPath: path) ? try JSONReader.read(contentsOf: path) : nil
        }
        let configuration = try read("tokenizer_config.json"), model = try read("config.json")
        file = configuration?.file ?? "\(directory)/tokenizer_config.json"
        try configuration.map(Self.refuse)
        addsBeginningOfText = try configuration?.optional("add_bos_token")?.boolean()
        addsEndOfText = try configuration?.optional("add_eos_token")?.boolean()
        addsPrefixSpace = try configuration?.optional("add_prefix_space")?.boolean()
        tokenizerClass = TokenizerClass(
            modelType: try model?.optional("model_type")?.string(),
            declared: try (configuration?.optional("tokenizer_class") ?? model?.optional("tokenizer_class"))?.string())
        let decoder = try configuration?.optional("added_tokens_decoder")
        let map = try decoder == nil ? read("special_tokens_map.json") : nil
        let legacy = try decoder == nil ? read("added_tokens.json") : nil
        isEmpty = configuration == nil && map == nil && legacy == nil
        // special_tokens_map.json goes over what the configuration says.
        for node in [configuration, map].compactMap(\.self) { try readSpecialTokens(node, isMap: node.file == map?.file) }
        if let decoder { declared = try Self.declared(decoder) }
        if let legacy { declared = try legacyTokens(legacy) }
    }

    private static func refuse(_ configuration: JSONNode) throws {
        for (key, effect) in [
            ("split_special_tokens", "special tokens that are spelled out in a text would be cut into others"),
            ("fix_mistral_regex", "words would be cut otherwise than tokenizer.json says; save the tokenizer with the fix"),
        ] {
            if let flag = try configuration.optional(key), try flag.boolean() { throw flag.fail("true is not supported: \(effect)") }
        }
        if let files = try configuration.optional("fast_tokenizer_files"), try !files.elements().allSatisfy({ try $0.string() == "tokenizer.json" }) {
            throw files.fail("names other files than tokenizer.json, for other versions of transformers; expected tokenizer.json alone")
        }
    }

    private mutating func readSpecialTokens(_ node: JSONNode, isMap: Bool) throws {
        for member in try node.members() {
            let key = member.name.string
            guard let value = try node.optional(key) else { continue }
            if Self.attributes.contains(key) {
                name(key, try AddedToken(special: value))
            } else if key.hasSuffix("_token"), case .string = value.value {
                name(key, try AddedToken(special: value))
            }
        }
        for key in ["extra_special_tokens", "additional_special_tokens"] {
            guard let tokens = try node.optional(key) else { continue }
            if case .object(let members) = tokens.value {
                for member in members { name(member.name.string, try AddedToken(special: tokens.required(member.name.string))) }
            } else {
                extra += try tokens.elements().map { try AddedToken(special: $0) }
                if key == "extra_special_tokens", !extra.isEmpty { break }  // the other is its old name
            }
        }
    }

    private mutating func name(_ key: String, _ token: AddedToken) {
        named.removeAll { $0.key == key }
        named.append((key, token))
    }

    /// By id, which only orders them: tokens that are new get the next free ones.
    private static func declared(_ decoder: JSONNode) throws -> [AddedToken] {
        let members = try decoder.members()
        guard members.count <= mostTokens else { throw decoder.fail("has \(members.count) tokens; expected at most \(mostTokens)") }
        return try members.map { member in
            let token = JSONNode(value: member.value, file: decoder.file, path: "\(decoder.path).\(member.name.string)")
            guard let id = Int32(member.name.string), id >= 0 else { throw token.fail("expected an id for the name") }
            return try AddedToken(node: token, id: id, isSpecial: token.boolean("special", default: false))
        }.sorted { $0.id < $1.id }
    }

    /// added_tokens.json: texts with their ids.
    private func legacyTokens(_ file: JSONNode) throws -> [AddedToken] {
        let members = try file.members()
        guard members.count <= Self.mostTokens else { throw file.fail("has \(members.count) tokens; expected at most \(Self.mostTokens)") }
        let special = Set((named.map(\.token) + extra).map(\.content))
        return try members.map { member in
            let node = JSONNode(value: member.value, file: file.file, path: member.name.string)
            if let problem = TokenTable.problem(with: member.name) { throw node.fail(problem) }
            let isSpecial = special.contains(member.name)
            return AddedToken(id: try node.index(), content: member.name, isSpecial: isSpecial, isNormalized: !isSpecial)
        }.sorted { $0.id < $1.id }
    }

    /// The added tokens of tokenizer.json with those that the settings add, and with the settings' way to find them.
    /// - Parameter pieces: tokens that already have an id.
    func merged(with own: [AddedToken], pieces: TokenTable) -> [AddedToken] {
        var tokens = own
        var index = Dictionary(own.enumerated().map { ($1.content, $0) }, uniquingKeysWith: { $1 })
        var next = max(own.map(\.id).max() ?? -1, pieces.highestID ?? -1)
        func add(_ token: AddedToken, replacing: Bool) {
            if let known = index[token.content] {
                if replacing { tokens[known] = token.with(id: tokens[known].id) }
            } else if let id = pieces.id(of: token.content) ?? (next < .max ? next + 1 : nil) {
                next = max(next, id)
                index[token.content] = tokens.count
                tokens.append(token.with(id: id))
            }
        }
        // A token that is named as special is special, whatever else is said of it.
        let special = Set(named.map(\.token.content))
        for var token in declared where !token.content.isEmpty {
            token.isSpecial = token.isSpecial || special.contains(token.content)
            add(token, replacing: true)
        }
        let order = Self.attributes.compactMap { key in named.first { $0.key == key } } + named.filter { !Self.attributes.contains($0.key) }
        for token in order.map(\.token) + extra where !token.content.isEmpty { add(token, replacing: false) }
        return tokens
    }
}

extension AddedToken {
    /// A special token that is given as its text or as an object.
    fileprivate init(special node: JSONNode) throws {
        if case .string = node.value {
            self.init(id: 0, content: try node.tokenText(), isSpecial: true)
        } else {
            try self.init(node: node, id: 0, isSpecial: true)
        }
    }

    fileprivate init(node: JSONNode, id: Int32, isSpecial: Bool) throws {
        self.init(
            id: id, content: try node.required("content").tokenText(), isSpecial: isSpecial,
            isNormalized: try node.boolean("normalized", default: !isSpecial), isSingleWord: try node.boolean("single_word", default: false),
            stripsLeft: try node.boolean("lstrip", default: false), stripsRight: try node.boolean("rstrip", default: false))
    }

    fileprivate func with(id: Int32) -> AddedToken {
        AddedToken(id: id, content: content, isSpecial: isSpecial, isNormalized: isNormalized, isSingleWord: isSingleWord,
                   stripsLeft: stripsLeft, stripsRight: stripsRight)
    }
}
