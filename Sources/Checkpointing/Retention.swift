/// Which checkpoints stay.
enum Retention {
    /// The steps to remove once `committed` is safely on the disk: not the last `keepLast` up to it (itself among them),
    /// no multiple of `keepEvery`, not `spared`, and none after it. (Later ones can only be damaged, or someone's on purpose; they
    /// must not count as kept, or they would push out what is valid.)
    static func stepsToRemove(existing: [Int], committed: Int, keepLast: Int, keepEvery: Int?, spared: Int? = nil) -> [Int] {
        let upToCommitted = existing.filter { $0 <= committed }.sorted(by: >)
        return upToCommitted.dropFirst(keepLast).filter { step in step != spared && keepEvery.map { step % $0 != 0 } ?? true }
    }
}
