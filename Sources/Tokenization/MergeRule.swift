/// A merge of two neighbouring tokens into one. The merge of the lowest rank goes first, the leftmost of equal ones.
struct Merge: Sendable {
    let rank: Int
    let result: Int32
}

/// Which neighbouring tokens merge.
enum MergeRule: Sendable {
    /// A list of pairs, as tokenizer.json has it.
    case listed([TokenPair: Merge])
    /// SentencePiece's: any two pieces whose concatenation is a piece, best score first.
    case scored(ScoredPieces)

    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        switch self {
        case .listed(let merges): merges[TokenPair(left: left, right: right)]
        case .scored(let pieces): pieces.merge(left, right)
        }
    }
}

struct TokenPair: Hashable, Sendable {
    let left: Int32
    let right: Int32
}

struct ScoredPieces: Sendable {
    let pieces: TokenTable
    /// By id; the lowest merges first.
    let priorities: [Int]

    /// Of several ways to make a piece, that with the longest left part comes first, as in the lists of merges that
    /// Hugging Face's converter writes.
    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        guard let joined = pieces.id(joining: left, right) else { return nil }
        let span = TokenTable.longestTokenBytes
        return Merge(rank: priorities[Int(joined.id)] * span + (span - joined.leftBytes), result: joined.id)
    }
}

extension MergeRule {
    /// The symbols after all merges, in O(n log n) steps.
    func merged(_ symbols: [Int32]) -> [Int32] {
        var word = SymbolChain(symbols)
        var queue = MergeQueue()
        for index in symbols.indices.dropLast() {
            if let merge = merge(symbols[index], symbols[index + 1]) { queue.insert(merge, at: index) }
        }
        while let (merge, index) = queue.removeFirst() {
            guard let next = word.next(after: index),
                self.merge(word.ids[index], word.ids[next])?.result == merge.result  // else outdated by another merge
            else { continue }
            word.join(index, with: next, into: merge.result)
            for neighbour in [word.previous(before: index), index].compactMap(\.self) {
                guard let next = word.next(after: neighbour) else { continue }
                if let merge = self.merge(word.ids[neighbour], word.ids[next]) { queue.insert(merge, at: neighbour) }
            }
        }
        return word.remaining
    }
}

/// A word's symbols as a doubly linked list, in arrays. A symbol keeps its index while others are joined to it.
private struct SymbolChain {
    private(set) var ids: [Int32]
    private var nextIndex: [Int]
    private var previousIndex: [Int]
    private var isJoined: [Bool]  // to the one before it, so no longer there

    init(_ symbols: [Int32]) {
        ids = symbols
        nextIndex = Array(1..<symbols.count + 1)
        previousIndex = Array(-1..<symbols.count - 1)
        isJoined = Array(repeating: false, count: symbols.count)
    }

    /// Nil at the end and for a symbol that is no longer there.
    func next(after index: Int) -> Int? {
        isJoined[index] || nextIndex[index] >= ids.count ? nil : nextIndex[index]
    }

    func previous(before index: Int) -> Int? {
        previousIndex[index] < 0 ? nil : previousIndex[index]
    }

    mutating func join(_ index: Int, with next: Int, into id: Int32) {
        ids[index] = id
        isJoined[next] = true
        nextIndex[index] = nextIndex[next]
        if nextIndex[next] < ids.count { previousIndex[nextIndex[next]] = index }
    }

    var remaining: [Int32] {
        ids.indices.filter { !isJoined[$0] }.map { ids[$0] }
    }
}

/// A binary heap of possible merges, lowest rank first, then leftmost.
private struct MergeQueue {
    private struct Entry {
        let merge: Merge
        let index: Int

        static func < (a: Entry, b: Entry) -> Bool {
            (a.merge.rank, a.index) < (b.merge.rank, b.index)
        }
    }

    private var entries: [Entry] = []

    mutating func insert(_ merge: Merge, at index: Int) {
        entries.append(Entry(merge: merge, index: index))
        var child = entries.count - 1
        while child > 0, entries[child] < entries[(child - 1) / 2] {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() -> (merge: Merge, index: Int)? {
        guard let first = entries.first, let last = entries.popLast() else { return nil }
        if !entries.isEmpty {
            entries[0] = last
            sinkFirst()
        }
        return (first.merge, first.index)
    }

    private mutating func sinkFirst() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && entries[child] < entries[least] {
                least = child
            }
            if least == parent { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
