import Documents

/// A part of the text on its way to becoming words.
struct Piece: Sendable {
    let text: ExactString
    /// Whether it stands at the very start of what was given to `encode`.
    let startsText: Bool
}

/// Cuts text into the words within which byte pairs are merged. Named as in tokenizer.json.
indirect enum PreTokenizer: Sendable {
    case sequence([PreTokenizer])
    case split(TextPattern, SplitBehavior, invert: Bool)
    case digits(SplitBehavior)
    case punctuation(SplitBehavior)
    case whitespaceSplit
    /// Spells the bytes in `ByteAlphabet`, after cutting at `words` if there is such a pattern.
    case byteLevel(words: TextPattern?, addsPrefixSpace: Bool)
    case metaspace(Metaspace)

    init(_ node: JSONNode) throws {
        let type = try node.componentType()
        switch type.name {
        case "Sequence": self = .sequence(try node.required("pretokenizers").elements().map(PreTokenizer.init))
        case "Split":
            self = .split(
                try TextPattern(node.required("pattern")), try SplitBehavior(node.required("behavior")),
                invert: try node.boolean("invert", default: false))
        case "Digits": self = .digits(try node.boolean("individual_digits", default: false) ? .isolated : .contiguous)
        case "Punctuation": self = .punctuation(try node.optional("behavior").map(SplitBehavior.init) ?? .isolated)
        case "Whitespace": self = .split(try TextPattern(expression: #"\w+|[^\w\s]+"#), .removed, invert: true)
        case "WhitespaceSplit": self = .whitespaceSplit
        case "ByteLevel":
            self = .byteLevel(
                words: try node.boolean("use_regex", default: true) ? try TextPattern(expression: WordPattern.gpt2) : nil,
                addsPrefixSpace: try node.boolean("add_prefix_space", default: true))
        case "Metaspace": self = .metaspace(try Metaspace(node))
        case let other: throw type.node.fail("unknown pre-tokenizer '\(other)'")
        }
    }

    /// With the space before byte-level words as `flag` says.
    func prefixingSpace(_ flag: Bool) -> PreTokenizer {
        switch self {
        case .sequence(let steps): .sequence(steps.map { $0.prefixingSpace(flag) })
        case .byteLevel(let words, _): .byteLevel(words: words, addsPrefixSpace: flag)
        case .split, .digits, .punctuation, .whitespaceSplit, .metaspace: self
        }
    }

    /// None of the resulting pieces is empty, if none was.
    func apply(_ pieces: [Piece]) -> [Piece] {
        switch self {
        case .sequence(let steps): steps.reduce(pieces) { $1.apply($0) }
        case .split(let pattern, let behavior, let invert):
            pieces.flatMap { Self.parts(of: $0, at: pattern.matches(in: $0.text), behavior, invert: invert) }
        case .digits(let behavior): pieces.flatMap { Self.parts(of: $0, behavior) { $0.isNumeric } }
        case .punctuation(let behavior): pieces.flatMap { Self.parts(of: $0, behavior) { $0.isPunctuation } }
        case .whitespaceSplit: pieces.flatMap { Self.parts(of: $0, .removed) { $0.properties.isWhitespace } }
        case .byteLevel(let words, let addsPrefixSpace):
            pieces.flatMap { Self.spelledWords(of: $0, at: words, addsPrefixSpace: addsPrefixSpace) }
        case .metaspace(let metaspace): pieces.flatMap(metaspace.apply)
        }
    }

    private static func spelledWords(of piece: Piece, at words: TextPattern?, addsPrefixSpace: Bool) -> [Piece] {
        let space = ExactString(" ")
        let prefixed = addsPrefixSpace && !piece.text.hasPrefix(space)
        let whole = prefixed ? Piece(text: space + piece.text, startsText: piece.startsText) : piece
        let parts = words.map { Self.parts(of: whole, at: $0.matches(in: whole.text), .isolated) } ?? [whole]
        return parts.map { Piece(text: ByteAlphabet.spell($0.text), startsText: $0.startsText) }
    }

    /// Every scalar for which `isMatch` holds is a match of its own.
    private static func parts(of piece: Piece, _ behavior: SplitBehavior, where isMatch: (Unicode.Scalar) -> Bool) -> [Piece] {
        let matches = zip(piece.text.scalarRanges, piece.text.scalars).filter { isMatch($1) }.map(\.0)
        return parts(of: piece, at: matches, behavior)
    }

    fileprivate static func parts(
        of piece: Piece, at matches: [Range<Int>], _ behavior: SplitBehavior, invert: Bool = false
    ) -> [Piece] {
        behavior.parts(of: piece.text.utf8.count, at: matches, invert: invert).filter { !$0.isEmpty }.map { range in
            Piece(text: piece.text[range], startsText: piece.startsText && range.lowerBound == 0)
        }
    }
}

/// SentencePiece's treatment of spaces, in pre-tokenizing and in decoding.
struct Metaspace: Sendable {
    enum Prefix: String, Sendable {
        case always, first, never
    }

    let replacement: ExactString
    let prefix: Prefix
    let splits: Bool

    init(_ node: JSONNode) throws {
        replacement = ExactString(String(Character(try node.optional("replacement")?.scalar() ?? "\u{2581}")))
        splits = try node.boolean("split", default: true)
        if let scheme = try node.optional("prepend_scheme") {
            guard let known = Prefix(rawValue: try scheme.string()) else {
                throw scheme.fail("unknown scheme '\(try scheme.string())', known: always, first, never")
            }
            prefix = known
        } else {
            prefix = try node.boolean("add_prefix_space", default: true) ? .always : .never
        }
    }

    func apply(_ piece: Piece) -> [Piece] {
        var text = TextPattern(literal: ExactString(" ")).replacingMatches(in: piece.text, with: replacement)
        let wantsPrefix = prefix == .always || (prefix == .first && piece.startsText)
        if wantsPrefix && !text.hasPrefix(replacement) { text = replacement + text }
        let whole = Piece(text: text, startsText: piece.startsText)
        guard splits else { return [whole] }
        return PreTokenizer.parts(of: whole, at: TextPattern(literal: replacement).matches(in: text), .mergedWithNext)
    }

    /// Of the first token all markers are dropped, unless `prefix` is `never`; elsewhere a marker becomes a space.
    func decode(_ token: ExactString, isFirst: Bool) -> ExactString {
        let space = ExactString(isFirst && prefix != .never ? "" : " ")
        return TextPattern(literal: replacement).replacingMatches(in: token, with: space)
    }
}

/// The published expressions that cut text into words.
enum WordPattern {
    static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    static let llama3 = tiktoken(digits: #"\p{N}{1,3}"#)
    static let qwen2 = tiktoken(digits: #"\p{N}"#)
    static let tekken =
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"#
        + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#
        + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    private static func tiktoken(digits: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }
}

extension Unicode.Scalar {
    /// General category N.
    fileprivate var isNumeric: Bool {
        switch properties.generalCategory {
        case .decimalNumber, .letterNumber, .otherNumber: true
        default: false
        }
    }

    /// General category P, or any ASCII symbol.
    fileprivate var isPunctuation: Bool {
        switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            true
        case .currencySymbol, .mathSymbol, .modifierSymbol, .otherSymbol: isASCII
        default: false
        }
    }
}
