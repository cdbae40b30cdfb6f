/// The one binary tree through which sums over shards go, so that their bits depend on the shards alone and never on how
/// many ranks share them.
///
/// A node over more than one leaf splits them at the largest power of two smaller than their number: 5 leaves are
/// `((0+1)+(2+3))+4`. An absent leaf (nil) is skipped: the sum of two children of which one is absent is the other,
/// so not even a zero is added (which would turn −0 into +0).
package enum SummationTree {
    /// How many of `count` leaves go to the left child: the largest power of two smaller than `count`.
    package static func leftLeaves(of count: Int) -> Int {
        precondition(count >= 2, "a node of \(count) leaves has no children")
        return 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount)
    }

    /// Combines the leaves 0 ..< count; nil if all are absent. `add` is called with the left and the right child.
    /// The left child is complete before a leaf of the right one is asked for.
    package static func combine<Term>(
        count: Int, leaf: (Int) throws -> Term?, add: (Term, Term) throws -> Term
    ) rethrows -> Term? {
        try combine(0..<count, leaf: leaf, add: add)
    }

    /// The sum of scalars; nil if all are absent.
    package static func sum(_ leaves: [Double?]) -> Double? {
        combine(count: leaves.count, leaf: { leaves[$0] }, add: +)
    }

    private static func combine<Term>(
        _ leaves: Range<Int>, leaf: (Int) throws -> Term?, add: (Term, Term) throws -> Term
    ) rethrows -> Term? {
        guard leaves.count > 1 else { return leaves.isEmpty ? nil : try leaf(leaves.lowerBound) }
        let middle = leaves.lowerBound + leftLeaves(of: leaves.count)
        let left = try combine(leaves.lowerBound..<middle, leaf: leaf, add: add)
        let right = try combine(middle..<leaves.upperBound, leaf: leaf, add: add)
        guard let left, let right else { return left ?? right }
        return try add(left, right)
    }
}

extension SummationTree {
    /// The elementwise sum of float vectors, each `count` long; zeros if all are absent. `result` may be one of the
    /// leaves, but may not overlap one otherwise. The payload of a NaN in the result is unspecified.
    package static func sum(_ leaves: [UnsafePointer<Float>?], count: Int, into result: UnsafeMutablePointer<Float>) {
        var partialSums = PartialSums(leaves: leaves.count)
        defer { partialSums.deallocate() }
        for start in stride(from: 0, to: count, by: PartialSums.tile) {
            let length = min(PartialSums.tile, count - start)
            let total = combine(
                count: leaves.count,
                leaf: { index in leaves[index].map { PartialSums.Term(values: $0 + start, level: nil) } },
                add: { partialSums.add($0, $1, length: length) })
            if let total {
                (result + start).update(from: total.values, count: length)
            } else {
                (result + start).update(repeating: 0, count: length)
            }
            partialSums.reset()
        }
    }
}

/// The tiles in which partial sums of a tree are kept, as a stack: a right child's partial sum always lies above its left
/// sibling's, so one tile per level of the tree is enough.
private struct PartialSums {
    /// Floats summed at a time: small enough that the tiles of all levels stay in the first-level cache.
    static let tile = 1024

    struct Term {
        let values: UnsafePointer<Float>
        /// The stack level that holds the values; nil for a leaf.
        let level: Int?
    }

    private let levels: UnsafeMutablePointer<Float>
    private let levelCount: Int
    private var used = 0

    init(leaves: Int) {
        levelCount = Int.bitWidth - leaves.leadingZeroBitCount + 1
        levels = .allocate(capacity: levelCount * Self.tile)
    }

    func deallocate() { levels.deallocate() }

    mutating func reset() { used = 0 }

    mutating func add(_ left: Term, _ right: Term, length: Int) -> Term {
        let level = left.level ?? right.level ?? used
        precondition(level < levelCount, "partial sum \(level) of \(levelCount)")
        used = level + 1
        let sum = levels + level * Self.tile
        let (leftValues, rightValues) = (left.values, right.values)
        for index in 0..<length { sum[index] = leftValues[index] + rightValues[index] }
        return Term(values: UnsafePointer(sum), level: level)
    }
}
