import Checkpointing
import Foundation
import TestSupport
import Testing

/// A checkpoint has its name as soon as its data are on the disk, whatever the ranks that wrote it do meanwhile.
@Suite struct EarlyCommitTests {
    private func begin(
        _ state: SampleState, step: Int, _ directory: TemporaryDirectory, _ exchange: any CheckpointExchange,
        onStage: (@Sendable (SaveStage, Int) throws -> Void)? = nil
    ) throws -> PendingSave {
        var options = sampleOptions(directory.path)
        options.onStage = onStage
        let store = try CheckpointStore(options: options, exchange: exchange) { _ in }
        return try store.begin(step: step, state: state.tensors(rank: exchange.rank, of: exchange.size), document: sampleDocument, exchange: exchange)
    }

    private func wait(for what: String, _ condition: () -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 20)
        while !condition() {
            try #require(Date() < deadline, "\(what) did not come")
            usleep(2_000)
        }
    }

    @Test(arguments: [1, 3]) func namesItBeforeAnyoneFinishes(ranks: Int) throws {
        let directory = try TemporaryDirectory(), state = SampleState()
        let all = RankGroup.run(ranks) { exchange in
            let save = try begin(state, step: 7, directory, exchange)
            try wait(for: "the checkpoint") { directory.entries() == ["step-00000007"] }
            let files = directory.entries("step-00000007")
            return (try save.finish(), files)
        }
        for result in all {
            let (info, files) = try result.get()
            #expect(info.step == 7 && info.path == directory.path + "/step-00000007")
            #expect(files == ["manifest.json", "manifest.sha256"] + (0..<ranks).map { "rank-000\($0).bin" })
        }
        let plain = try TemporaryDirectory()
        let finished = try save(state, step: 7, ranks: ranks, options: sampleOptions(plain.path))[0].get()
        #expect(try loadNewest(directory.path, like: state)?.values == state.values)
        #expect(try all[0].get().0.digest == finished.digest)
    }

    /// One rank fails and sees the save through; the others are in the middle of something and make no call.
    @Test(arguments: [0, 1, 2]) func aFailingRankSeesItThrough(failing: Int) throws {
        let directory = try TemporaryDirectory(), state = SampleState()
        let isSettled = DispatchSemaphore(value: 0)
        let paths = try RankGroup.run(3) { exchange -> String? in
            let save = try begin(state, step: 7, directory, exchange)
            if exchange.rank == failing {
                defer { for _ in 0..<2 { isSettled.signal() } }
                return save.settle()
            }
            isSettled.wait()
            save.abandon()
            return nil
        }.map { try $0.get() }
        #expect(paths[failing] == directory.path + "/step-00000007")
        #expect(directory.entries() == ["step-00000007"])
        #expect(try loadNewest(directory.path, like: state)?.values == state.values)
    }

    /// What cannot be completed gets no name, and nobody says that it is kept.
    @Test func aRankThatCannotWriteKeepsNothing() throws {
        struct DiskFull: Error {}
        let directory = try TemporaryDirectory(), state = SampleState()
        let failure = #expect(throws: CheckpointFailure.self) {
            let save = try begin(state, step: 7, directory, SingleProcess()) { stage, _ in if stage == .manifestWritten { throw DiskFull() } }
            if save.settle() == nil { throw CheckpointFailure("nothing") }
        }
        #expect(failure?.description == "nothing" && directory.entries() == [])
    }
}
