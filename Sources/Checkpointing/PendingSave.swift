import Documents
import Foundation
import TensorCore

/// A save under way: a background thread on each rank writes while training goes on, and rank 0's gives the checkpoint its name as soon as the
/// data of all ranks are on the disk. The state must not change until `finish`, which every rank must call; a run that cannot go on
/// calls `settle`. A save dropped without either is cancelled, waited for and reported, and may leave a `.partial` directory
/// that is never loaded.
package final class PendingSave {
    package var step: Int { commit.step }

    private let commit: Commit
    private let exchange: any CheckpointExchange
    private let line: EncodingLine
    private let save: BackgroundSave
    private let report: (String) -> Void
    private let onEnd: () -> Void
    private var isEnded = false

    /// How long the ranks of a run that failed wait for each other's files, which they write at the same time.
    private static let patienceSeconds = 60.0

    init(
        writer: ChunkWriter, commit: Commit, exchange: any CheckpointExchange, report: @escaping (String) -> Void,
        onEnd: @escaping () -> Void
    ) {
        (self.commit, self.exchange, self.report, self.onEnd) = (commit, exchange, report, onEnd)
        let line = writer.line(of: writer.ownedChunks()), handover = commit.handover
        self.line = line
        save = BackgroundSave(
            .init(
                write: { save in
                    let written = try writer.write(line, isCancelled: { save.mustEnd })
                    handover.announce(written, rank: writer.rank)
                    return written
                },
                commit: { own, save in
                    guard writer.rank == 0 else { return nil }
                    var pause = 0.002
                    while !save.mustStop() {
                        if let all = handover.collect(own: own) { return try commit.complete(all) }
                        if save.mustStop(waiting: pause) { break }
                        pause = min(0.25, 1.5 * pause)
                    }
                    return nil
                }))
    }

    deinit {
        if isEnded { return }
        abandon()
        report("\(commit.directory.label): the save was dropped before finish(); nothing was saved")
    }

    /// Waits for all ranks' writing, with this process's threads helping, and for the commit, which removes superfluous checkpoints too.
    /// Collective; on the thread that makes the run's other collective calls. If any rank failed, every rank throws the same
    /// `CheckpointFailure`, which says which rank and what; earlier checkpoints are then untouched and nothing is left of this one.
    package func finish() throws -> CheckpointInfo {
        precondition(!isEnded, "finish() was called twice for step \(step)")
        help()
        let result = save.waitUntilWritten(), early = Result { try save.takeOver() }
        end()
        let written = try exchange.outcomesAtRoot(Outcome { try result.get().encoded() })
        var reports: [String] = []
        let info = try exchange.fromRoot {
            do {
                let all = try Self.requireSuccess(written)
                let committed = try early.get() ?? commit.complete(Self.decode(all))
                reports = committed.reports
                return try JSON.encode(committed.info)
            } catch {
                try? FileSystem.remove(commit.directory.partial)
                throw CheckpointFailure("\(commit.directory.label) was not saved: \(error)")
            }
        }
        for text in reports { report(text) }
        return try JSON.decode(info)
    }

    /// For a run that has failed, on any rank, and makes no further call to the others: sees the save through, for which it needs
    /// nothing of them but that they go on writing. Returns the checkpoint's directory once it has its name; nil if it did not get it. `helping`: with
    /// this process's threads, from the main thread.
    package func settle(helping: Bool = true) -> String? {
        guard !isEnded, !save.isOwnThread else { return nil }
        defer {
            save.cancel()
            end()
        }
        if helping { help() }
        guard case .success = save.waitUntilWritten() else { return nil }
        if exchange.rank == 0 {
            guard save.waitForEnd(seconds: Self.patienceSeconds), let committed = try? save.takeOver() else { return nil }
            return committed.info.path
        }
        let deadline = Date(timeIntervalSinceNow: Self.patienceSeconds), directory = commit.directory
        while FileSystem.exists(directory.partial) {
            guard Date() < deadline else { return nil }
            usleep(5_000)
        }
        return FileSystem.exists(directory.path) ? directory.path : nil
    }

    /// Cancels the writing and waits for the background thread. Not collective: for a save that nobody wants.
    package func abandon() {
        guard !isEnded else { return }
        save.cancel()
        _ = try? save.takeOver()
        end()
    }

    private func help() { parallelFor(max(1, Threads.count - 1)) { [line] _ in line.work() } }

    private func end() {
        isEnded = true
        onEnd()
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
        let value: JSONValue = [
            "step": .integer(info.step), "path": .string(info.path), "digest": .string(info.digest),
            "bytes": .integer(info.bytes), "rawBytes": .integer(info.rawBytes),
        ]
        return Array(try value.canonicalText().utf8)
    }

    static func decode(_ bytes: [UInt8]) throws -> CheckpointInfo {
        let reader = JSONNode(value: try JSONValue(parsing: bytes, file: "save", options: .exact), file: "save")
        return CheckpointInfo(
            step: try reader["step"].natural(), path: try reader["path"].string(), digest: try reader["digest"].string(),
            bytes: try reader["bytes"].natural(), rawBytes: try reader["rawBytes"].natural())
    }
}
