import Communication
import Configuration
import Foundation
import Machine

/// The threads that this rank runs on: `setting`, or else its share of the processors of its machine.
///
/// A rank may only use the processors in its affinity mask (what a launcher, taskset or a container's cpuset allow). Each
/// processor counts for one of the ranks that may use it: ranks bound to processors of their own have those, ranks that
/// share all of them divide them evenly, the lowest ranks taking what is left over. A CPU quota of the rank's control
/// group, rounded up to whole processors, is divided by the ranks on the machine. At least 1.
///
/// Collective: every rank calls it.
package func threadsForThisRank(_ setting: Int?, communicator: Communicator) throws -> Int {
    let share = try ProcessorShare(communicator: communicator)
    return setting ?? share.threads
}

/// How the ranks on this rank's machine divide its processors.
package struct ProcessorShare {
    /// Processors that this rank may use.
    package let usable: Set<Int>
    /// Processors that some rank on this machine may use.
    package let usableByAll: Set<Int>
    /// The CPU quota of this rank's control group, in processors, where there is one.
    package let quota: Double?
    /// This rank's share, at least 1.
    package let threads: Int

    /// Collective.
    package init(communicator: Communicator) throws {
        usable = Processors.usable()
        quota = Processors.quota()
        let masks = try Self.gatherMasks(own: usable, communicator: communicator)
        usableByAll = masks.values.reduce(into: []) { $0.formUnion($1) }
        var share = Self.divide(masks)[communicator.rank] ?? 1
        if let quota {
            let whole = Int(min(quota.rounded(.up), 65_536))
            let (each, left) = whole.quotientAndRemainder(dividingBy: communicator.nodeSize)
            share = min(share, each + (communicator.nodeRank < left ? 1 : 0))
        }
        threads = max(1, share)
    }

    /// Every processor to one of the ranks that may use it: the one that has fewest yet, the lowest of these.
    static func divide(_ masks: [Int: Set<Int>]) -> [Int: Int] {
        var shares = masks.mapValues { _ in 0 }
        let ranks = masks.keys.sorted()
        for processor in masks.values.reduce(into: Set<Int>(), { $0.formUnion($1) }).sorted() {
            let candidates = ranks.filter { masks[$0]?.contains(processor) ?? false }
            guard let next = candidates.min(by: { shares[$0, default: 0] < shares[$1, default: 0] }) else { continue }
            shares[next, default: 0] += 1
        }
        return shares
    }

    /// The masks of the ranks on this rank's machine, by rank.
    private static func gatherMasks(own: Set<Int>, communicator: Communicator) throws -> [Int: Set<Int>] {
        let bitsPerWord = 32  // exact in a Double
        let words = try communicator.allGather((own.max() ?? 0) / bitsPerWord + 1).max() ?? 1
        var message = [Double](repeating: 0, count: 1 + words)
        message[0] = Processors.machineIdentity()
        for processor in own { message[1 + processor / bitsPerWord] += Double(UInt32(1) << (processor % bitsPerWord)) }
        let all = try communicator.allGather(message)
        var masks: [Int: Set<Int>] = [:]
        for (rank, words) in all.enumerated() where words[0] == message[0] {
            let bits = words.dropFirst().map { UInt32($0) }
            masks[rank] = Set((0..<bits.count * bitsPerWord).filter { bits[$0 / bitsPerWord] >> ($0 % bitsPerWord) & 1 == 1 })
        }
        return masks
    }
}
