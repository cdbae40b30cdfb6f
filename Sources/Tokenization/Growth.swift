// How much longer components can make a text, so that a tokenizer.json whose chain of them would fill memory is refused.

/// Bytes that may come out for each that goes in.
protocol Growing {
    var growth: Double { get }
}

extension Growing {
    /// Published chains stay below 200.
    static var largestGrowth: Double { 4096 }

    fileprivate static func product(_ steps: [Self]) -> Double { steps.reduce(1) { $0 * $1.growth } }
}

extension TextPattern {
    /// An expression may match before every character.
    fileprivate func growth(replacingWith replacement: ExactString) -> Double {
        let bytes = Double(replacement.utf8.count)
        return literalBytes.map { max(1, bytes / Double($0)) } ?? 1 + 2 * bytes
    }
}

extension Normalizer: Growing {
    var growth: Double {
        switch self {
        case .sequence(let normalizers): Self.product(normalizers)
        case .nfc, .nfd: 3
        case .nfkc, .nfkd: 11  // U+FDFA
        case .lowercase: 1.5
        case .strip: 1
        case .prepend(let prefix): 1 + Double(prefix.utf8.count)
        case .replace(let pattern, let replacement): pattern.growth(replacingWith: replacement)
        }
    }
}

extension PreTokenizer: Growing {
    var growth: Double {
        switch self {
        case .sequence(let steps): Self.product(steps)
        case .split, .digits, .punctuation, .whitespaceSplit: 1
        case .byteLevel(_, let addsPrefixSpace): addsPrefixSpace ? 4 : 2
        case .metaspace(let metaspace): 1 + Double(metaspace.replacement.utf8.count)
        }
    }
}

extension TokenDecoder: Growing {
    var growth: Double {
        switch self {
        case .sequence(let decoders): Self.product(decoders)
        case .byteLevel, .byteFallback: 3  // U+FFFD
        case .fuse, .strip, .metaspace: 1
        case .replace(let pattern, let replacement): pattern.growth(replacingWith: replacement)
        }
    }
}
