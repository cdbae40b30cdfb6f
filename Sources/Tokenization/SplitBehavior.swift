import Documents

/// What becomes of the matches when text is cut at them. The names are those of tokenizer.json.
enum SplitBehavior: String, CaseIterable, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    init(_ node: JSONNode) throws {
        guard let behavior = SplitBehavior(rawValue: try node.string()) else {
            let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw node.fail("unknown split behavior '\(try node.string())', known: \(known)")
        }
        self = behavior
    }

    /// The ranges of the parts into which a text of `length` bytes falls.
    /// - Parameters:
    ///   - matches: in order, without overlap, within the text.
    ///   - invert: what lies between the matches counts as matched instead, and they do not.
    func parts(of length: Int, at matches: [Range<Int>], invert: Bool = false) -> [Range<Int>] {
        let runs = Self.runs(of: length, at: matches, invert: invert)
        return switch self {
        case .removed: runs.filter { !$0.isMatch }.map(\.range)
        case .isolated: runs.map(\.range)
        case .mergedWithPrevious: Self.joined(runs) { previous, run in run.isMatch && !previous }
        case .mergedWithNext: Self.joined(runs.reversed()) { previous, run in run.isMatch && !previous }.reversed()
        case .contiguous: Self.joined(runs) { previous, run in run.isMatch == previous }
        }
    }

    private struct Run {
        let range: Range<Int>
        let isMatch: Bool
    }

    /// The matches and what lies between them, covering the text.
    private static func runs(of length: Int, at matches: [Range<Int>], invert: Bool) -> [Run] {
        var runs: [Run] = []
        var end = 0
        for match in matches {
            if end < match.lowerBound { runs.append(Run(range: end..<match.lowerBound, isMatch: invert)) }
            runs.append(Run(range: match, isMatch: !invert))
            end = match.upperBound
        }
        if end < length { runs.append(Run(range: end..<length, isMatch: invert)) }
        return runs
    }

    /// Joins each run to the part before it (in the given order) where `joins` says so; its first argument is whether
    /// the run before was a match, false at the start.
    private static func joined(_ runs: [Run], where joins: (Bool, Run) -> Bool) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var previous = false
        for run in runs {
            if joins(previous, run), let last = parts.popLast() {
                parts.append(min(last.lowerBound, run.range.lowerBound)..<max(last.upperBound, run.range.upperBound))
            } else {
                parts.append(run.range)
            }
            previous = run.isMatch
        }
        return parts
    }
}
