import TensorCore

/// The order in which records are trained on: a permutation for each time through the data, a function of the seed alone.
package struct SampleOrder: Sendable {
    private let count: Int
    private let seed: UInt64

    package init(count: Int, seed: UInt64) {
        precondition(count >= 1, "an order of \(count) records")
        self.count = count
        self.seed = seed
    }

    /// The records at places `range` of the endless sequence of permutations.
    package func records(_ range: Range<Int>) -> [Int] {
        var epoch = -1
        var permutation: [Int] = []
        return range.map { place in
            if place / count != epoch {
                epoch = place / count
                permutation = shuffled(epoch)
            }
            return permutation[place % count]
        }
    }

    /// Fisher and Yates, with numbers that depend on (seed, epoch, place).
    private func shuffled(_ epoch: Int) -> [Int] {
        let stream = RandomStream(seed: seed, purpose: .sampling, lane: UInt32(truncatingIfNeeded: epoch))
        var order = Array(0..<count)
        for place in stride(from: count - 1, to: 0, by: -1) {
            let words = stream.block(UInt64(place))
            let word = UInt64(words.0) << 32 | UInt64(words.1)
            order.swapAt(place, Int(word.multipliedFullWidth(by: UInt64(place + 1)).high))
        }
        return order
    }
}
