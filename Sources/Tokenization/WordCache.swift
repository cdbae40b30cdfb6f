import Synchronization

/// Remembers the ids of words, some ten megabytes at most.
final class WordCache: Sendable {
    private static let longestWordBytes = 256
    private static let capacity = 10_000

    private let known = Mutex<[ExactString: [Int32]]>([:])

    func ids(of word: ExactString, or encode: (ExactString) -> [Int32]) -> [Int32] {
        guard word.utf8.count <= Self.longestWordBytes else { return encode(word) }
        if let ids = known.withLock({ $0[word] }) { return ids }
        let ids = encode(word)
        known.withLock {
            if $0.count >= Self.capacity { $0.removeAll(keepingCapacity: true) }
            $0[word] = ids
        }
        return ids
    }
}
