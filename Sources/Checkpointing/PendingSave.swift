import TensorCore

/// A save under way: a background thread on each rank writes while training goes on. The state must not change until
/// `finish`, which every rank must call; a save dropped without it is cancelled, waited for and reported, and leaves a
/// `.partial` directory that is never loaded.
public final class PendingSave {
    public var step: Int { commit.step }

    private let commit: Commit
    private let exchange: any CheckpointExchange
    private let line: EncodingLine
    private let task: BackgroundTask<WrittenFile>
    private let report: (String) -> Void
    private let onEnd: () -> Void
    private var isEnded = false

    init(
        writer: ChunkWriter, commit: Commit, exchange: any CheckpointExchange, report: @escaping (String) -> Void,
        onEnd: @escaping () -> Void
    ) {
        (self.commit, self.exchange, self.report, self.onEnd) = (commit, exchange, report, onEnd)
        let line = writer.line(of: writer.ownedChunks())
        self.line = line
        task = BackgroundTask(name: "checkpoint") { task in try writer.write(line, isCancelled: { task.isCancelled }) }
    }

    deinit {
        if isEnded { return }
        abandon()
        report("\(commit.directory.label): the save was dropped before finish(); nothing was saved")
    }

    /// Waits for all ranks' writing, with this process's threads helping, commits, and removes superfluous checkpoints. Collective; on the thread that makes
    /// the run's other collective calls. If any rank failed, every rank throws the same `CheckpointFailure`, which says
    /// which rank and what; earlier checkpoints are then untouched and nothing is left of this one.
    public func finish() throws -> CheckpointInfo {
        precondition(!isEnded, "finish() was called twice for step \(step)")
        parallelFor(max(1, Threads.count - 1)) { _ in line.work() }
        let result = task.wait()
        end()
        let written = try exchange.outcomesAtRoot(Outcome { try result.get().encoded() })
        let info = try rootStage(after: written) { try JSON.encode(commit.writeManifest(Self.decode($0))) }
        let ready = try exchange.outcomesAtRoot(Outcome { try commit.options.onStage?(.ranksReady, exchange.rank); return [] })
        _ = try rootStage(after: ready) { _ in
            try commit.publish()
            return []
        }
        if exchange.rank == 0 { commit.prune(report: report) }
        return try JSON.decode(info)
    }

    /// Cancels the writing and waits for the background thread. Not collective: for a run that is ending with an error.
    public func abandon() {
        guard !isEnded else { return }
        task.cancel()
        _ = task.wait()
        end()
    }

    private func end() {
        isEnded = true
        onEnd()
    }

    /// If all ranks succeeded, runs `body` with their bytes on rank 0. If they or it failed, removes the partial
    /// directory and throws on every rank. Collective.
    private func rootStage(after outcomes: [Outcome], _ body: ([[UInt8]]) throws -> [UInt8]) throws -> [UInt8] {
        try exchange.fromRoot {
            do {
                return try body(try Self.requireSuccess(outcomes))
            } catch {
                try? FileSystem.remove(commit.directory.partial)
                throw CheckpointFailure("\(commit.directory.label) was not saved: \(error)")
            }
        }
    }

    private static func requireSuccess(_ outcomes: [Outcome]) throws -> [[UInt8]] {
        let problems = outcomes.enumerated().compactMap { rank, outcome in outcome.problem.map { "rank \(rank): \($0)" } }
        guard problems.isEmpty else { throw CheckpointFailure(problems.joined(separator: "; ")) }
        return try outcomes.map { try $0.get() }
    }

    private static func decode(_ files: [[UInt8]]) throws -> [WrittenFile] {
        try files.enumerated().map { try WrittenFile(encoded: $1, rank: $0) }
    }
}

/// `CheckpointInfo` as bytes, to broadcast.
private enum JSON {
    static func encode(_ info: CheckpointInfo) throws -> [UInt8] {
        let value: DocumentValue = [
            "step": .integer(info.step), "path": .string(info.path), "digest": .string(info.digest),
            "bytes": .integer(info.bytes), "rawBytes": .integer(info.rawBytes),
        ]
        return Array(try value.text().utf8)
    }

    static func decode(_ bytes: [UInt8]) throws -> CheckpointInfo {
        let reader = DocumentReader(value: try DocumentValue(parsing: bytes, location: "save"), location: "save", path: "")
        return CheckpointInfo(
            step: try reader["step"].natural(), path: try reader["path"].string(), digest: try reader["digest"].string(),
            bytes: try reader["bytes"].natural(), rawBytes: try reader["rawBytes"].natural())
    }
}
