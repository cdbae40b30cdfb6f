/// Text that is equal to other text only if the UTF-8 bytes are the same.
///
/// Swift's `String` compares by canonical equivalence: "é" as one scalar and as "e" plus an accent are equal there, and
/// they are different tokens here. Everything between the caller's `String` and the ids works on this type instead.
/// The bytes are valid UTF-8, except in decoding, where they may be part of a character.
struct ExactString: Hashable, Sendable {
    var utf8: [UInt8]

    init(_ string: String) {
        utf8 = Array(string.utf8)
    }

    init(utf8: some Sequence<UInt8>) {
        self.utf8 = Array(utf8)
    }

    /// Invalid UTF-8 becomes U+FFFD.
    var string: String { String(decoding: utf8, as: UTF8.self) }

    var isEmpty: Bool { utf8.isEmpty }
    var scalars: String.UnicodeScalarView { string.unicodeScalars }

    subscript(range: Range<Int>) -> ExactString { ExactString(utf8: utf8[range]) }

    func hash(into hasher: inout Hasher) {
        utf8.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    func hasPrefix(_ prefix: ExactString) -> Bool {
        utf8.starts(with: prefix.utf8)
    }

    static func + (left: ExactString, right: ExactString) -> ExactString {
        ExactString(utf8: left.utf8 + right.utf8)
    }

    /// The byte range of each scalar, in order.
    var scalarRanges: [Range<Int>] {
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(utf8.count)
        var start = 0
        while start < utf8.count {
            let end = min(start + Self.scalarLength(startingWith: utf8[start]), utf8.count)
            ranges.append(start..<end)
            start = end
        }
        return ranges
    }

    private static func scalarLength(startingWith byte: UInt8) -> Int {
        switch byte {
        case ..<0xC0: 1
        case ..<0xE0: 2
        case ..<0xF0: 3
        default: 4
        }
    }
}

/// "▁", which SentencePiece vocabularies write for a space.
let wordStartMarker = ExactString("\u{2581}")
