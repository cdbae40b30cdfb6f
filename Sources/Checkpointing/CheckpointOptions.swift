/// Moments of a save, in order, at which `CheckpointOptions.onStage` is called. Those from `manifestWritten` on are rank 0's.
package enum SaveStage: String, Sendable, CaseIterable {
    case partialCreated
    /// Once for each chunk.
    case chunkWritten
    case dataSynchronized
    /// On every rank: what it wrote is on the disk, and it lets rank 0 commit.
    case ranksReady
    case manifestWritten
    case partialSynchronized
    /// Only when a checkpoint of the same step is being replaced.
    case previousMovedAside
    case renamed
    case committed
    /// Once for each checkpoint that is being removed, when it has lost its name.
    case pruning
}

/// Where and how a run's checkpoints are written. The same on all ranks.
package struct CheckpointOptions: Sendable {
    /// Created if missing. All ranks must see it: on several nodes, a shared file system.
    package var directory: String
    /// The editing method's name, for people and `inspect`.
    package var method: String
    /// The run's configuration as text; kept in the manifest with its SHA-256, not part of the digest.
    package var configuration: String
    /// The newest checkpoints to keep, 1 or more.
    package var keepLast: Int
    /// Those whose step is a multiple of this are kept too, for good; nil: none. 1 or more.
    package var keepEvery: Int?
    /// The size of a chunk in bytes: a multiple of 8, at most 64 MiB. Part of the digest: leave it alone to compare runs.
    package var chunkBytes = 4 << 20
    /// zstd's level. 1 is both the fastest of the positive ones and, on byte planes of floats, the smallest.
    package var compressionLevel = 1
    /// Threads on each rank that compress while training goes on, 1 or more.
    package var threads = 1
    /// How long to wait for another run that holds the directory to end.
    package var lockWaitSeconds = 10.0
    /// Called at each stage with the rank, possibly on a background thread. An error it throws is treated as a failure of
    /// that stage: for tests.
    package var onStage: (@Sendable (SaveStage, Int) throws -> Void)?

    package init(directory: String, method: String, configuration: String, keepLast: Int = 3, keepEvery: Int? = nil) {
        (self.directory, self.method, self.configuration) = (directory, method, configuration)
        (self.keepLast, self.keepEvery) = (keepLast, keepEvery)
    }

    func requireValid() {
        precondition(keepLast >= 1, "keepLast is \(keepLast), expected 1 or more")
        precondition(keepEvery ?? 1 >= 1, "keepEvery is \(keepEvery ?? 1), expected 1 or more")
        precondition(threads >= 1, "threads is \(threads), expected 1 or more")
        precondition(
            ChunkLayout.allowedChunkBytes.contains(chunkBytes) && chunkBytes % 8 == 0,
            "chunkBytes is \(chunkBytes), expected a multiple of 8 in \(ChunkLayout.allowedChunkBytes)")
    }
}

/// A checkpoint that was written.
package struct CheckpointInfo: Sendable, Equatable {
    /// Edit batches trained when it was taken.
    package let step: Int
    /// Its directory.
    package let path: String
    /// SHA-256 of the uncompressed state: equal digests are equal bits, whatever number of ranks wrote them.
    package let digest: String
    /// On disk, the manifest included.
    package let bytes: Int
    /// Of the tensors, uncompressed.
    package let rawBytes: Int
}
