import Foundation

/// What a splitter or replacement looks for: a literal text or a regular expression.
///
/// Patterns in tokenizer files are written for Oniguruma; ICU reads them the same way with the two options below
/// (`^` and `$` at every line, only "\n" ends a line).
struct TextPattern: Sendable {
    private enum Kind {
        case literal([UInt8])
        case expression(NSRegularExpression)
    }

    private let kind: Kind

    /// - Parameter literal: not empty.
    init(literal: ExactString) {
        precondition(!literal.isEmpty, "an empty literal matches everywhere")
        kind = .literal(literal.utf8)
    }

    /// Throws what `NSRegularExpression` throws when the expression is malformed.
    init(expression: String) throws {
        kind = .expression(try NSRegularExpression(pattern: expression, options: [.useUnixLineSeparators, .anchorsMatchLines]))
    }

    /// A `{"String": …}` or `{"Regex": …}` object.
    init(_ node: JSONNode) throws {
        if let literal = try node.optional("String") {
            guard try !literal.exactString().isEmpty else { throw literal.fail("is empty") }
            self.init(literal: try literal.exactString())
        } else if let expression = try node.optional("Regex") {
            do {
                try self.init(expression: try expression.string())
            } catch {
                throw expression.fail("is not a regular expression: '\(try expression.string())'")
            }
        } else {
            throw node.fail("expected a 'String' or a 'Regex'")
        }
    }

    /// The byte ranges of the matches, in order, without overlap.
    ///
    /// ICU gives up on an expression that needs more than 8 MB to backtrack (for the published expressions: a run of
    /// several hundred thousand spaces); what follows then counts as without matches.
    func matches(in text: ExactString) -> [Range<Int>] {
        switch kind {
        case .literal(let literal): Self.matches(of: literal, in: text.utf8)
        case .expression(let expression): Self.matches(of: expression, in: text.string)
        }
    }

    func replacingMatches(in text: ExactString, with replacement: ExactString) -> ExactString {
        let ranges = matches(in: text)
        guard !ranges.isEmpty else { return text }
        var result: [UInt8] = []
        var end = 0
        for range in ranges {
            result += text.utf8[end..<range.lowerBound]
            result += replacement.utf8
            end = range.upperBound
        }
        return ExactString(utf8: result + text.utf8[end...])
    }

    private static func matches(of literal: [UInt8], in text: [UInt8]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        while start + literal.count <= text.count {
            if text[start] == literal[0], text[start...].starts(with: literal) {
                ranges.append(start..<start + literal.count)
                start += literal.count
            } else {
                start += 1
            }
        }
        return ranges
    }

    private static func matches(of expression: NSRegularExpression, in text: String) -> [Range<Int>] {
        var units: [NSRange] = []  // in UTF-16 code units
        let whole = NSRange(location: 0, length: text.utf16.count)
        expression.enumerateMatches(in: text, options: [], range: whole) { match, _, _ in
            if let match { units.append(match.range) }
        }
        var offsets = ByteOffsets(text)
        return units.map { unit in
            let lower = offsets.advance(to: unit.location)
            return lower..<offsets.advance(to: unit.location + unit.length)
        }
    }
}

/// Translates growing UTF-16 offsets into UTF-8 offsets, in one pass over the text.
private struct ByteOffsets {
    private var scalars: String.UnicodeScalarView.Iterator
    private var units = 0
    private var bytes = 0

    init(_ text: String) {
        scalars = text.unicodeScalars.makeIterator()
    }

    mutating func advance(to unit: Int) -> Int {
        while units < unit, let scalar = scalars.next() {
            units += UTF16.width(scalar)
            bytes += UTF8.width(scalar)
        }
        return bytes
    }
}
