import TensorCore

/// A run's checkpoints, for writing: a directory of `step-NNNNNNNN` directories, each with one data file per rank that
/// wrote, `manifest.json` and `manifest.sha256`. One run at a time may have it open for writing.
package final class CheckpointStore {
    package let options: CheckpointOptions
    private let report: (String) -> Void
    private let lock: DirectoryLock?
    private var isSaving = false

    /// Creates the directory if missing and removes what a killed run left behind. Collective. `report` gets one line for
    /// people about anything cleaned, skipped or not removable, on rank 0 only (dropped saves: on their rank).
    package init(options: CheckpointOptions, exchange: any CheckpointExchange, report: @escaping (String) -> Void) throws {
        options.requireValid()
        self.options = options
        self.report = report
        var lock: DirectoryLock?
        _ = try exchange.fromRoot {
            try FileSystem.makeDirectory(options.directory)
            lock = try DirectoryLock(options.directory, waitSeconds: options.lockWaitSeconds)
            try StepDirectory.cleanLeftovers(in: options.directory, report: report)
            return []
        }
        self.lock = lock
    }

    /// Starts to save the state after `step` edit batches. Collective, and quick: a background thread does the work; see
    /// `PendingSave`. The tensors must be the same list on all ranks, in the same order; the document is rank 0's. One
    /// save at a time. `sparing`: a step whose checkpoint stays, however old. Throws if rank 0 cannot create the directory.
    package func begin(
        step: Int, state: [StateTensor], document: CheckpointDocument, sparing spared: Int? = nil, exchange: any CheckpointExchange
    ) throws -> PendingSave {
        precondition(!isSaving, "begin(step: \(step)) before the previous save was finished")
        precondition(step >= 0, "step is \(step)")
        let layout = try ChunkLayout(tensors: state.map(\.layout), chunkBytes: options.chunkBytes, location: "state")
        let commit = Commit(options: options, step: step, layout: layout, document: document, rankCount: exchange.size, spared: spared)
        let directory = commit.directory
        _ = try exchange.fromRoot {
            try FileSystem.remove(directory.partial)
            try FileSystem.makeDirectory(directory.partial)
            return []
        }
        let writer = ChunkWriter(
            tensors: state, layout: layout, directory: directory, rank: exchange.rank, rankCount: exchange.size,
            compressionLevel: options.compressionLevel, threads: options.threads, onStage: options.onStage)
        isSaving = true
        return PendingSave(writer: writer, commit: commit, exchange: exchange, report: report) { [self] in isSaving = false }
    }

    /// The newest checkpoint that verifies, or nil. Collective. See `CheckpointReader.newest`.
    package func newest(exchange: any CheckpointExchange) throws -> LoadedCheckpoint? {
        try CheckpointReader(directory: options.directory, report: report).newest(exchange: exchange)
    }
}
