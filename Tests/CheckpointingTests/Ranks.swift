import Checkpointing
import Foundation

/// Ranks of one process: threads that exchange bytes through memory. A rank that does not come makes the others fail
/// after half a minute instead of hanging the tests.
final class RankGroup: @unchecked Sendable {
    struct TimedOut: Error {}

    let size: Int
    private let condition = NSCondition()
    private var slots: [[UInt8]?]
    private var arrived = 0
    private var round = 0
    private var completed: [[UInt8]] = []

    init(size: Int) {
        self.size = size
        slots = Array(repeating: nil, count: size)
    }

    /// Everyone's bytes, when all have come.
    func allGather(_ bytes: [UInt8], rank: Int) throws -> [[UInt8]] {
        condition.lock()
        defer { condition.unlock() }
        let mine = round
        slots[rank] = bytes
        arrived += 1
        if arrived == size {
            completed = slots.map { $0 ?? [] }
            arrived = 0
            round += 1
            condition.broadcast()
            return completed
        }
        let deadline = Date(timeIntervalSinceNow: 30)
        while round == mine {
            guard condition.wait(until: deadline) else { throw TimedOut() }
        }
        return completed
    }

    /// Runs `body` on a thread per rank and returns what each did, in rank order.
    static func run<T>(_ size: Int, _ body: @escaping @Sendable (any CheckpointExchange) throws -> T) -> [Result<T, any Error>] {
        let group = RankGroup(size: size)
        let results = Results<T>(size: size)
        let all = DispatchGroup()
        for rank in 0..<size {
            all.enter()
            Thread.detachNewThread {
                results.set(rank, Result { try body(ThreadRank(group: group, rank: rank)) })
                all.leave()
            }
        }
        all.wait()
        return results.all
    }
}

private struct ThreadRank: CheckpointExchange {
    let group: RankGroup
    let rank: Int
    var size: Int { group.size }
    func gather(_ bytes: [UInt8], root: Int) throws -> [[UInt8]] {
        let all = try group.allGather(bytes, rank: rank)
        return rank == root ? all : []
    }
    func broadcast(_ bytes: [UInt8], root: Int) throws -> [UInt8] { try group.allGather(bytes, rank: rank)[root] }
}

private final class Results<T>: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [Result<T, any Error>?]
    init(size: Int) { values = Array(repeating: nil, count: size) }
    func set(_ rank: Int, _ value: Result<T, any Error>) { lock.withLock { values[rank] = value } }
    var all: [Result<T, any Error>] { lock.withLock { values.map { $0! } } }
}

/// Lines that something reported.
final class Lines: @unchecked Sendable {
    private let lock = NSLock()
    private var lines: [String] = []
    func add(_ line: String) { lock.withLock { lines.append(line) } }
    var all: [String] { lock.withLock { lines } }
    var text: String { all.joined(separator: "\n") }
}
