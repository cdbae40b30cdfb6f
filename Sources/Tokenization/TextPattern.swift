import Documents
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

    private static let longestExpressionBytes = 4096

    private let kind: Kind

    /// How long a literal is; nil for an expression.
    var literalBytes: Int? {
        if case .literal(let bytes) = kind { bytes.count } else { nil }
    }

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
            let pattern = try expression.string()
            guard pattern.utf8.count <= Self.longestExpressionBytes else {
                throw expression.fail("has \(pattern.utf8.count) bytes; expected at most \(Self.longestExpressionBytes)")
            }
            do { try self.init(expression: pattern) } catch {
                throw expression.fail("is not a regular expression: '\(pattern)'")
            }
            let probe = BacktrackingBudget.probe(exhausting: pattern) { matches(in: ExactString($0), budget: .forProbes).isComplete }
            if let probe {
                throw expression.fail("'\(pattern)' takes too many steps, on \(probe.debugDescription) for one")
            }
        } else {
            throw node.fail("expected a 'String' or a 'Regex'")
        }
    }

    /// The byte ranges of the matches, in order, without overlap.
    ///
    /// An expression that needs more than 8 MB to backtrack (for the published expressions: a run of several hundred
    /// thousand spaces), or more steps than its budget, is given up; what follows then counts as without matches.
    func matches(in text: ExactString) -> [Range<Int>] {
        matches(in: text, budget: BacktrackingBudget(textBytes: text.utf8.count)).ranges
    }

    private func matches(in text: ExactString, budget: BacktrackingBudget) -> (ranges: [Range<Int>], isComplete: Bool) {
        switch kind {
        case .literal(let literal): (Self.matches(of: literal, in: text.utf8), true)
        case .expression(let expression): Self.matches(of: expression, in: text.string, budget: budget)
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

    private static func matches(
        of expression: NSRegularExpression, in text: String, budget: BacktrackingBudget
    ) -> (ranges: [Range<Int>], isComplete: Bool) {
        var units: [NSRange] = []  // in UTF-16 code units
        let whole = NSRange(location: 0, length: text.utf16.count)
        var reportsLeft = whole.length + budget.extraReports
        expression.enumerateMatches(in: text, options: [.reportProgress], range: whole) { match, _, stop in
            if let match { units.append(match.range) } else { reportsLeft -= 1 }
            if reportsLeft < 0 { stop.pointee = true }
        }
        var offsets = ByteOffsets(text)
        let ranges = units.map { unit in
            let lower = offsets.advance(to: unit.location)
            return lower..<offsets.advance(to: unit.location + unit.length)
        }
        return (ranges, reportsLeft >= 0)
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

/// How many steps an expression may take. ICU reports its progress at every place where no match starts, and every
/// 10,000 steps; the published expressions need fewer than ten for each character.
struct BacktrackingBudget {
    /// Beyond one for each UTF-16 code unit.
    let extraReports: Int

    static let forProbes = BacktrackingBudget(extraReports: 3)

    private init(extraReports: Int) {
        self.extraReports = extraReports
    }

    init(textBytes: Int) {
        extraReports = 100 + textBytes / 10
    }

    /// A text on which the expression does not keep to its budget, of those made of repeated characters of the expression
    /// itself and some usual ones. Expressions that backtrack without end do so on such texts.
    static func probe(exhausting expression: String, _ isWithinBudget: (String) -> Bool) -> String? {
        let own = Set(expression.unicodeScalars).sorted { $0.value < $1.value }.prefix(48)
        for character in own + Array(" aA1!\n\u{E9}\u{7684}".unicodeScalars) {
            for (count, end) in [(60, ""), (160, ""), (160, "\u{1}"), (160, "a ")] {
                let probe = String(repeating: String(character), count: count) + end
                if !isWithinBudget(probe) { return String(character) + "…" }
            }
        }
        return nil
    }
}
