import Documents

// Which keys of a tokenizer.json are read. One that is not known may change how text becomes tokens, so it is refused by name.

extension JSONNode {
    /// Throws for a member that is neither null nor one of these.
    func refuseKeys(otherThan known: Set<String>) throws {
        for member in try members() where !known.contains(member.key) {
            if case .null = member.value { continue }
            throw fail("has '\(member.key)', which is not known here and may change how text becomes tokens")
        }
    }

    /// The `type` of a normalizer, pre-tokenizer, post-processor or decoder. Throws for a key that this type does not have; one of a type that is not known
    /// is for the caller to refuse.
    func componentType() throws -> (node: JSONNode, name: String) {
        let type = try required("type"), name = try type.string()
        if let keys = Self.keysOfComponents[name] { try refuseKeys(otherThan: keys.union(["type"])) }
        return (type, name)
    }

    static let keysOfFile: Set = [
        "version",  // of the file format
        "truncation", "padding",  // apply only to callers that ask for them
        "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model",
    ]

    static let keysOfModel: Set = [
        "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges",
    ]

    static let keysOfAddedToken: Set = ["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"]

    private static let keysOfComponents: [String: Set<String>] = [
        "Sequence": ["normalizers", "pretokenizers", "processors", "decoders"],
        "NFC": [], "NFD": [], "NFKC": [], "NFKD": [], "Lowercase": [],
        "Strip": ["strip_left", "strip_right", "content", "start", "stop"],
        "Prepend": ["prepend"],
        "Replace": ["pattern", "content"],
        "Split": ["pattern", "behavior", "invert"],
        "Digits": ["individual_digits"],
        "Punctuation": ["behavior"],
        "Whitespace": [], "WhitespaceSplit": [],
        "ByteLevel": ["add_prefix_space", "use_regex", "trim_offsets"],  // the last is about places in the text, not about tokens
        "Metaspace": ["replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep"],  // the last is the replacement again
        "TemplateProcessing": ["single", "pair", "special_tokens"],  // texts are never encoded in pairs
        "ByteFallback": [], "Fuse": [],
    ]
}
