/// Merges in the order of their rank, as they are read from a file.
struct MergeList {
    private let pieces: TokenTable
    private(set) var byPair: [TokenPair: Merge] = [:]
    private var count = 0

    init(pieces: TokenTable, capacity: Int) {
        self.pieces = pieces
        byPair.reserveCapacity(capacity)
    }

    /// Adds the next merge, spelled "left right", or says what is wrong with it.
    mutating func append(line: ExactString) -> String? {
        append(line.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false))
    }

    /// Adds the next merge, or says what is wrong with it.
    mutating func append(_ parts: [ArraySlice<UInt8>]) -> String? {
        guard parts.count == 2 else { return "expected a pair of tokens, found \(parts.count)" }
        guard let left = pieces.id(of: parts[0]) else { return Self.unknown(parts[0]) }
        guard let right = pieces.id(of: parts[1]) else { return Self.unknown(parts[1]) }
        guard let joined = pieces.id(joining: left, right)?.id else { return Self.unknown(parts[0] + parts[1]) }
        byPair[TokenPair(left: left, right: right)] = Merge(rank: count, result: joined)
        count += 1
        return nil
    }

    private static func unknown(_ text: ArraySlice<UInt8>) -> String {
        "'\(ExactString(utf8: text).string)' is not in the vocabulary"
    }
}
