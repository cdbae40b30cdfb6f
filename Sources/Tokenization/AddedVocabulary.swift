/// A token that is found in the text itself, before any word is cut.
struct AddedToken: Sendable {
    let id: Int32
    let content: ExactString
    /// Special tokens are left out of decoded text on request.
    var isSpecial: Bool
    /// Looked for in the normalized text, not in the text as given.
    var isNormalized = false
    /// Found only where no word character stands next to it.
    var isSingleWord = false
    /// Swallow the white space before or after them.
    var stripsLeft = false
    var stripsRight = false
}

/// A part of the text: an added token, or what stands between them, as a byte range that is not empty.
enum Segment: Equatable {
    case token(Int32)
    case text(Range<Int>)
}

/// The added tokens of a vocabulary. At each place the longest one wins.
struct AddedVocabulary: Sendable {
    let tokens: [Int32: AddedToken]
    private let asGiven: TokenTrie
    private let normalized: TokenTrie

    private static let mostBytes = 1 << 22  // Gemma 3 has some 80,000

    /// What is wrong with added tokens that would take too much memory to look for.
    static func problem(with added: [AddedToken]) -> String? {
        let bytes = added.reduce(0) { $0 + $1.content.utf8.count }
        return bytes <= mostBytes ? nil : "\(bytes) bytes of added tokens; expected at most \(mostBytes)"
    }

    /// - Parameter normalize: how text is normalized, so that normalized tokens are looked for in the same form.
    init(_ added: [AddedToken], normalize: (ExactString) -> ExactString) {
        tokens = Dictionary(added.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        asGiven = TokenTrie(added.filter { !$0.isNormalized }.map { ($0.content, $0.id) })
        normalized = TokenTrie(added.filter(\.isNormalized).map { (normalize($0.content), $0.id) })
    }

    func segmentsOfGiven(_ text: ExactString) -> [Segment] {
        segments(of: text, asGiven)
    }

    func segmentsOfNormalized(_ text: ExactString) -> [Segment] {
        segments(of: text, normalized)
    }

    private func segments(of text: ExactString, _ trie: TokenTrie) -> [Segment] {
        var segments: [Segment] = []
        var end = 0  // of what the segments cover
        var position = 0
        while let match = trie.firstMatch(in: text.utf8, from: position) {
            position = match.range.upperBound
            guard let token = tokens[match.id], !token.isSingleWord || text.isWord(match.range) else { continue }
            var (lower, upper) = (match.range.lowerBound, match.range.upperBound)
            if token.stripsLeft { lower = max(end, text.startOfWhitespace(before: lower, limit: end)) }
            if token.stripsRight { upper = text.endOfWhitespace(after: max(upper, end)) }
            if end < lower { segments.append(.text(end..<lower)) }
            segments.append(.token(token.id))
            end = max(end, upper)
        }
        if end < text.utf8.count { segments.append(.text(end..<text.utf8.count)) }
        return segments
    }
}

/// Finds the first and there the longest of many texts.
private struct TokenTrie: Sendable {
    private var children: [Edge: Int] = [:]
    private var ids: [Int32?] = [nil]  // by node; the root is node 0
    private var startsToken = Array(repeating: false, count: 256)

    private struct Edge: Hashable {
        let node: Int
        let byte: UInt8
    }

    init(_ entries: [(content: ExactString, id: Int32)]) {
        for entry in entries {
            guard let first = entry.content.utf8.first else { continue }
            startsToken[Int(first)] = true
            var node = 0
            for byte in entry.content.utf8 {
                let edge = Edge(node: node, byte: byte)
                if let child = children[edge] {
                    node = child
                } else {
                    node = ids.count
                    children[edge] = node
                    ids.append(nil)
                }
            }
            ids[node] = entry.id
        }
    }

    func firstMatch(in text: [UInt8], from position: Int) -> (id: Int32, range: Range<Int>)? {
        guard ids.count > 1 else { return nil }
        for start in position..<max(position, text.count) where startsToken[Int(text[start])] {
            if let match = longestMatch(in: text, at: start) { return match }
        }
        return nil
    }

    private func longestMatch(in text: [UInt8], at start: Int) -> (id: Int32, range: Range<Int>)? {
        var longest: (id: Int32, range: Range<Int>)?
        var node = 0
        for index in start..<text.count {
            guard let child = children[Edge(node: node, byte: text[index])] else { break }
            node = child
            if let id = ids[node] { longest = (id, start..<index + 1) }
        }
        return longest
    }
}

extension ExactString {
    /// Whether no word character stands directly before or after the range.
    fileprivate func isWord(_ range: Range<Int>) -> Bool {
        scalar(before: range.lowerBound)?.isWordCharacter != true && scalar(after: range.upperBound)?.isWordCharacter != true
    }

    /// - Parameter limit: how far back to look.
    fileprivate func startOfWhitespace(before end: Int, limit: Int) -> Int {
        var start = end
        while start > limit, let scalar = scalar(before: start), scalar.properties.isWhitespace { start -= UTF8.width(scalar) }
        return start
    }

    fileprivate func endOfWhitespace(after start: Int) -> Int {
        var end = start
        while let scalar = scalar(after: end), scalar.properties.isWhitespace { end += UTF8.width(scalar) }
        return end
    }

    private func scalar(before end: Int) -> Unicode.Scalar? {
        guard let start = utf8[..<end].lastIndex(where: { !UTF8.isContinuation($0) }) else { return nil }
        return scalar(after: start)
    }

    private func scalar(after start: Int) -> Unicode.Scalar? {
        String(decoding: utf8[start..<min(start + 4, utf8.count)], as: UTF8.self).unicodeScalars.first
    }
}

extension Unicode.Scalar {
    /// A word character of regular expressions (Unicode Technical Standard 18, annex C).
    fileprivate var isWordCharacter: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
        default: properties.isAlphabetic || properties.isJoinControl
        }
    }
}
