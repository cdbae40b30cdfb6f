import Documents
import TensorCore
import Tokenization
import WeightFiles

extension ModelSource {
    /// Throws `BadInput` for a tokenizer that cannot be read, or says something that would change tokens and is not known here.
    package func loadTokenizer() throws -> Tokenizer {
        switch kind {
        case .gguf(let file): try Tokenizer(gguf: Self.vocabulary(of: file))
        case .huggingFace(let directory): try Tokenizer(directory: directory)
        }
    }

    private static let prefix = "tokenizer.ggml."

    private static func vocabulary(of file: GGUFFile) throws -> GGUFVocabulary {
        func id(_ key: String) throws -> Int32? {
            guard let found = try file.integer(prefix + key) else { return nil }
            guard let id = Int32(exactly: found) else { throw BadInput(file.path, "\(prefix)\(key) is \(found); expected a token id, 0 to \(Int32.max)") }
            return id
        }
        try refuseUnknownKeys(of: file)
        var vocabulary = GGUFVocabulary(
            source: file.path,
            model: try file.required(prefix + "model", file.string),
            tokens: try file.required(prefix + "tokens", file.strings),
            tokenTypes: try file.integers(prefix + "token_type")?.map { Int32(clamping: $0) },
            merges: try file.strings(prefix + "merges") ?? [],
            scores: try file.floats(prefix + "scores")?.map { Float($0) })
        vocabulary.pre = try file.string(prefix + "pre")
        vocabulary.beginningOfText = try id("bos_token_id")
        vocabulary.endOfText = try id("eos_token_id")
        vocabulary.unknown = try id("unknown_token_id")
        vocabulary.addBeginningOfText = try file.bool(prefix + "add_bos_token")
        vocabulary.addEndOfText = try file.bool(prefix + "add_eos_token")
        vocabulary.addSpacePrefix = try file.bool(prefix + "add_space_prefix")
        return vocabulary
    }

    /// Keys that are read above.
    private static let readKeys: Set = [
        "model", "pre", "tokens", "token_type", "merges", "scores", "bos_token_id", "eos_token_id", "unknown_token_id", "add_bos_token", "add_eos_token",
        "add_space_prefix",
    ]

    /// Keys that change tokens only with another value than this, with what they would then do.
    private static let keysThatMustBe: [String: (value: GGUFValue, effect: String)] = [
        "add_sep_token": (.bool(false), "puts a separator after a text"),
        "remove_extra_whitespaces": (.bool(false), "drops spaces"),
        "precompiled_charsmap": (.integers([]), "replaces characters"),
        "escape_whitespaces": (.bool(true), "leaves spaces as they are"),
        "normalizer.lowercase": (.bool(false), "makes letters lowercase"),
    ]

    /// Every key of the tokenizer is read, or known not to change the tokens of a text by itself, or refused.
    private static func refuseUnknownKeys(of file: GGUFFile) throws {
        for (key, value) in file.metadata.sorted(by: { $0.key < $1.key }) where key.hasPrefix("tokenizer.") && !isHarmless(key) {
            guard key.hasPrefix(prefix), let known = requirement(of: String(key.dropFirst(prefix.count))) else {
                throw BadInput(file.path, "\(quoted(key)) is not known here and may change how text becomes tokens")
            }
            guard value == known.value else {
                throw BadInput(file.path, "\(quoted(key)) \(known.effect), which is not supported; expected \(text(known.value)) or no such key")
            }
        }
    }

    private static func requirement(of name: String) -> (value: GGUFValue, effect: String)? {
        if let known = keysThatMustBe[name] { return known }
        // Ollama's converter writes such a flag for every special token: add_padding_token, add_unknown_token, add_mask_token, …
        return name.hasPrefix("add_") && name.hasSuffix("_token") ? (.bool(false), "adds a token to a text") : nil
    }

    private static func isHarmless(_ key: String) -> Bool {
        // Templates of chats are not applied; the copy of tokenizer.json repeats what the other keys say.
        if key.hasPrefix("tokenizer.chat_template") || key == "tokenizer.huggingface.json" { return true }
        guard key.hasPrefix(prefix) else { return false }
        let name = key.dropFirst(prefix.count)
        // Names of tokens (padding, masks, ends of turns) put none into a text; token types tell the texts of a pair apart.
        return readKeys.contains(String(name)) || name.hasSuffix("_token_id") || name.hasSuffix("_token_ids") || name == "token_type_count"
    }

    private static func text(_ value: GGUFValue) -> String {
        switch value {
        case .bool(let flag): "\(flag)"
        default: "an empty list"
        }
    }
}
