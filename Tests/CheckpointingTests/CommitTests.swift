import Checkpointing
import Foundation
import TestSupport
import Testing

private struct DiskFull: Error, CustomStringConvertible { var description: String { "No space left on device" } }

/// Copies of a directory taken at each stage of a save: what a killed job leaves behind.
private final class CrashImages: @unchecked Sendable {
    private let lock = NSLock()
    private let source: String
    let directory: TemporaryDirectory
    private(set) var images: [(stage: SaveStage, path: String)] = []

    init(of source: String) throws {
        self.source = source
        directory = try TemporaryDirectory()
    }

    func take(_ stage: SaveStage) {
        lock.withLock {
            // Of the many chunks' images the first ones are enough.
            if stage == .chunkWritten, images.count(where: { $0.stage == stage }) >= 5 { return }
            let path = "\(directory.path)/\(images.count)"
            do {
                try FileManager.default.copyItem(atPath: source, toPath: path)
                images.append((stage, path))
            } catch {
                Issue.record(error)
            }
        }
    }
}

@Suite struct CommitTests {
    /// Kills at every stage: the checkpoint before is found until the new one has its name, and then the new one.
    @Test(arguments: [1, 2]) func aCrashLeavesAValidCheckpoint(ranks: Int) throws {
        let directory = try TemporaryDirectory()
        let (old, new) = (SampleState(trained: 1), SampleState(trained: 2))
        var options = sampleOptions(directory.path)
        options.keepLast = 1
        _ = try save(old, step: 10, ranks: ranks, options: options)[0].get()
        let crashes = try CrashImages(of: directory.path)
        options.onStage = { stage, _ in crashes.take(stage) }
        _ = try save(new, step: 20, ranks: ranks, options: options)[0].get()
        #expect(directory.entries() == ["step-00000020"])

        let stages = Set(crashes.images.map(\.stage))
        #expect(stages == Set(SaveStage.allCases).subtracting([.previousMovedAside]))
        for (stage, path) in crashes.images {
            let isCommitted = [.renamed, .committed, .pruning].contains(stage)
            let expected = isCommitted ? new : old
            let report = Lines()
            let found = try #require(try loadNewest(path, like: old, report: report), "\(stage)")
            #expect((found.step, report.all) == (isCommitted ? 20 : 10, []), "\(stage)")
            #expect(found.values == expected.values, "\(stage)")
            // The next run cleans up and can save again.
            let info = try save(new, step: 20, ranks: 3 - ranks, options: sampleOptions(path), report: report)[0].get()
            #expect(try loadNewest(path, like: new)?.digest == info.digest)
            #expect(TemporaryDirectory.names(path).allSatisfy { !$0.contains(".p") && !$0.contains(".r") }, "\(stage)")
        }
    }

    /// The same where a checkpoint of the same step is replaced, which must never leave none.
    @Test func aCrashWhileReplacingLeavesOneOfTheTwo() throws {
        let directory = try TemporaryDirectory()
        let (old, new) = (SampleState(trained: 1), SampleState(trained: 2))
        _ = try save(old, step: 20, ranks: 2, options: sampleOptions(directory.path))[0].get()
        let crashes = try CrashImages(of: directory.path)
        var options = sampleOptions(directory.path)
        options.onStage = { stage, _ in crashes.take(stage) }
        _ = try save(new, step: 20, ranks: 2, options: options)[0].get()
        #expect(directory.entries() == ["step-00000020"])
        #expect(try loadNewest(directory.path, like: new)?.values == new.values)
        #expect(crashes.images.contains { $0.stage == .previousMovedAside })
        for (stage, path) in crashes.images {
            let store = try CheckpointStore(options: sampleOptions(path), exchange: SingleProcess()) { _ in }
            let isCommitted = [.renamed, .committed].contains(stage)
            #expect(try loadNewest(path, like: old)?.values == (isCommitted ? new : old).values, "\(stage)")
            #expect(TemporaryDirectory.names(store.options.directory) == ["step-00000020"], "\(stage)")
        }
    }

    /// A failure on one rank, at every stage: all ranks say the same, and the checkpoint before is as it was.
    @Test(arguments: [SaveStage.partialCreated, .chunkWritten, .dataSynchronized, .manifestWritten, .partialSynchronized, .ranksReady, .previousMovedAside])
    func aFailingRankFailsAllWithItsMessage(_ failing: SaveStage) throws {
        let failingRank = [.manifestWritten, .partialSynchronized, .previousMovedAside].contains(failing) ? 0 : 1
        let directory = try TemporaryDirectory()
        let (old, new) = (SampleState(trained: 1), SampleState(trained: 2))
        let step = failing == .previousMovedAside ? 10 : 20
        _ = try save(old, step: 10, ranks: 3, options: sampleOptions(directory.path))[0].get()
        var options = sampleOptions(directory.path)
        options.onStage = { stage, rank in if stage == failing && rank == failingRank { throw DiskFull() } }
        let results = save(new, step: step, ranks: 3, options: options)
        let messages = Set(
            results.map { result in
                switch result {
                case .success: "saved"
                case .failure(let error): "\(error is CheckpointFailure): \(error)"
                }
            })
        let rank = failingRank == 1 ? "rank 1: " : ""
        #expect(messages == ["true: step-000000\(step) was not saved: \(rank)No space left on device"])
        #expect(directory.entries() == ["step-00000010"])
        #expect(try loadNewest(directory.path, like: old)?.values == old.values)
    }

    @Test func aRealWriteErrorSaysWhatFailed() throws {
        let directory = try TemporaryDirectory()
        var options = sampleOptions(directory.path)
        let path = directory.path
        // A directory in the place of rank 1's file.
        options.onStage = { stage, rank in
            guard stage == .partialCreated, rank == 1 else { return }
            try FileManager.default.createDirectory(
                atPath: path + "/step-00000001.partial/rank-0001.bin", withIntermediateDirectories: true)
        }
        for result in save(SampleState(), step: 1, ranks: 2, options: options) {
            let error = #expect(throws: CheckpointFailure.self) { try result.get() }
            #expect(error?.description.hasSuffix("rank 1: creating \(path)/step-00000001.partial/rank-0001.bin: Is a directory") == true)
        }
        #expect(directory.entries() == [])
        let file = try TemporaryDirectory().path
        try Data().write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        #expect(throws: CheckpointFailure.self) { try save(SampleState(), step: 1, ranks: 1, options: sampleOptions(file))[0].get() }
    }

    @Test func keepsTheLastAndEveryMth() throws {
        let directory = try TemporaryDirectory()
        var options = sampleOptions(directory.path, chunkBytes: 1 << 16)
        (options.keepLast, options.keepEvery) = (2, 40)
        for step in stride(from: 10, through: 100, by: 10) {
            _ = try save(SampleState(), step: step, ranks: 1, options: options)[0].get()
        }
        #expect(directory.entries() == ["step-00000040", "step-00000080", "step-00000090", "step-00000100"])
    }

    /// Going back behind a damaged checkpoint must not let it count as one of the kept.
    @Test func damagedLaterCheckpointsDoNotPushOutValidOnes() throws {
        let directory = try TemporaryDirectory()
        var options = sampleOptions(directory.path)
        options.keepLast = 1
        _ = try save(SampleState(), step: 30, ranks: 1, options: options)[0].get()
        try FileManager.default.removeItem(atPath: directory.path + "/step-00000030/rank-0000.bin")
        for step in [10, 20] { _ = try save(SampleState(), step: step, ranks: 1, options: options)[0].get() }
        #expect(directory.entries() == ["step-00000020", "step-00000030"])
        #expect(try loadNewest(directory.path, like: SampleState())?.step == 20)
        _ = try save(SampleState(), step: 30, ranks: 2, options: options)[0].get()
        #expect(directory.entries() == ["step-00000030"])
        #expect(try loadNewest(directory.path, like: SampleState())?.step == 30)
    }

    @Test func opensForOneRunAtATimeAndCleansStalePartials() throws {
        let directory = try TemporaryDirectory()
        for name in ["step-00000005.partial", "step-00000003.pruned", "mine.partial"] {
            try FileManager.default.createDirectory(atPath: "\(directory.path)/\(name)/x", withIntermediateDirectories: true)
        }
        let report = Lines()
        let store = try CheckpointStore(options: sampleOptions(directory.path), exchange: SingleProcess(), report: report.add)
        #expect(directory.entries() == ["mine.partial"])
        #expect(report.all.count == 2)
        let error = #expect(throws: CheckpointFailure.self) {
            try CheckpointStore(options: sampleOptions(directory.path), exchange: SingleProcess()) { _ in }
        }
        #expect(error?.description.contains("another run") == true)
        #expect(try store.newest(exchange: SingleProcess()) == nil)
    }

    @Test func writesWhileTheCallerGoesOnAndReportsDroppedSaves() throws {
        let directory = try TemporaryDirectory()
        let mayWrite = DispatchSemaphore(value: 0)
        var options = sampleOptions(directory.path)
        options.onStage = { stage, _ in if stage == .partialCreated { mayWrite.wait() } }
        let report = Lines()
        let state = SampleState()
        let store = try CheckpointStore(options: options, exchange: SingleProcess(), report: report.add)
        let tensors = state.tensors(rank: 0, of: 1)
        // begin() returns although the background thread waits.
        let first = try store.begin(step: 1, state: tensors, document: sampleDocument, exchange: SingleProcess())
        mayWrite.signal()
        _ = try first.finish()
        var dropped: PendingSave? = try store.begin(step: 2, state: tensors, document: sampleDocument, exchange: SingleProcess())
        #expect(dropped?.step == 2)
        mayWrite.signal()
        dropped = nil
        #expect(report.all == ["step-00000002: the save was dropped before finish(); nothing was saved"])
        #expect(try store.newest(exchange: SingleProcess())?.step == 1)
        // The store can go on.
        let third = try store.begin(step: 2, state: tensors, document: sampleDocument, exchange: SingleProcess())
        mayWrite.signal()
        #expect(try third.finish().step == 2)
        #expect(directory.entries() == ["step-00000001", "step-00000002"])
    }
}

extension TemporaryDirectory {
    static func names(_ path: String) -> [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}
