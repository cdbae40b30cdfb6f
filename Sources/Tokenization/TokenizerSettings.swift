import Documents
import Foundation
import TensorCore

/// What the files beside a tokenizer.json say that changes tokens: tokenizer_config.json, special_tokens_map.json and added_tokens.json.
///
/// Read as transformers 5 reads them where there is a tokenizer.json:
/// - `added_tokens_decoder` (or else added_tokens.json), `bos_token` and the other special tokens: see ``NamedSpecialTokens``: found in texts
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
    /// Tokens in the order in which they get ids: those of `added_tokens_decoder` or added_tokens.json, then those that have a name, then others.
    private(set) var declared: [AddedToken] = []
    let named: [(key: String, token: AddedToken)]
    private let extra: [AddedToken]
    /// There is an `added_tokens_decoder`.
    let declaresTokens: Bool
    let addsBeginningOfText: Bool?
    let addsEndOfText: Bool?
    let addsPrefixSpace: Bool?
    let tokenizerClass: TokenizerClass

    private static let mostTokens = 1 << 20

    init(directory: String) throws {
        func read(_ name: String) throws -> JSONNode? {
            let path = "\(directory)/\(name)"
            return FileManager.default.fileExists(atPath: path) ? try JSONNode(tokenizerFile: path) : nil
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
        declaresTokens = decoder != nil
        let map = try decoder == nil ? read("special_tokens_map.json") : nil
        let legacy = try decoder == nil ? read("added_tokens.json") : nil
        isEmpty = configuration == nil && map == nil && legacy == nil
        let special = try NamedSpecialTokens(configuration: configuration, map: map, of: tokenizerClass)
        (named, extra) = (special.inOrder, special.extra)
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

    /// By id, which only orders them: tokens that are new get the next free ones.
    private static func declared(_ decoder: JSONNode) throws -> [AddedToken] {
        let members = try decoder.members()
        guard members.count <= mostTokens else { throw decoder.fail("has \(members.count) tokens; expected at most \(mostTokens)") }
        return try members.map { member in
            let token = JSONNode(value: member.value, file: decoder.file, path: "\(decoder.path).\(member.key)")
            guard let id = Int32(member.key), id >= 0 else { throw token.fail("expected an id for the name") }
            return try AddedToken(node: token, id: id, isSpecial: token.boolean("special", default: false))
        }.sorted { $0.id < $1.id }
    }

    /// added_tokens.json: texts with their ids.
    private func legacyTokens(_ file: JSONNode) throws -> [AddedToken] {
        let members = try file.members()
        guard members.count <= Self.mostTokens else { throw file.fail("has \(members.count) tokens; expected at most \(Self.mostTokens)") }
        let special = Set((named.map(\.token) + extra).map(\.content))
        return try members.map { member in
            let node = JSONNode(value: member.value, file: file.file, path: member.key)
            let content = ExactString(member.key)
            if let problem = TokenTable.problem(with: content) { throw node.fail(problem) }
            let isSpecial = special.contains(content)
            return AddedToken(id: try node.index(), content: content, isSpecial: isSpecial, isNormalized: !isSpecial)
        }.sorted { $0.id < $1.id }
    }

    /// Of tokenizer.json's added tokens those that an `added_tokens_decoder` leaves out, and nothing else names.
    func tokensOnlyIn(_ own: [ExactString]) -> [ExactString] {
        guard declaresTokens else { return [] }
        let others = Set((declared + named.map(\.token) + extra).map(\.content))
        return own.filter { !others.contains($0) }
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
        // Of those that are new a later one says how they are found.
        let known = Set(index.keys), names = (named.map(\.token) + extra).filter { !$0.content.isEmpty }
        for token in names { add(token, replacing: !known.contains(token.content)) }
        if tokenizerClass.findsSpecialTokensAnywhere {
            for token in names { add(AddedToken(id: 0, content: token.content, isSpecial: true), replacing: true) }
        }
        return tokens
    }
}

extension AddedToken {
    /// A special token that is given as its text or as an object.
    init(special node: JSONNode) throws {
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
        AddedToken(
            id: id, content: content, isSpecial: isSpecial, isNormalized: isNormalized, isSingleWord: isSingleWord,
            stripsLeft: stripsLeft, stripsRight: stripsRight)
    }
}
