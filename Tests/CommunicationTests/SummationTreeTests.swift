import Communication
import Testing

@Suite struct SummationTreeTests {
    /// The expression that the tree computes over the present ones of `count` leaves.
    private func expression(_ count: Int, absent: Set<Int> = []) -> String? {
        SummationTree.combine(
            count: count, leaf: { absent.contains($0) ? nil : String($0) }, add: { "(\($0)+\($1))" })
    }

    @Test func shape() {
        #expect(expression(0) == nil)
        #expect(expression(1) == "0")
        #expect(expression(3) == "((0+1)+2)")
        #expect(expression(5) == "(((0+1)+(2+3))+4)")
        #expect(expression(7) == "(((0+1)+(2+3))+((4+5)+6))")
        #expect(expression(8) == "(((0+1)+(2+3))+((4+5)+(6+7)))")
    }

    @Test func absentLeavesAreSkipped() {
        #expect(expression(8, absent: [1, 4, 5]) == "((0+(2+3))+(6+7))")
        #expect(expression(8, absent: [0, 1, 2, 3]) == "((4+5)+(6+7))")
        #expect(expression(3, absent: [0, 1, 2]) == nil)
    }

    @Test func scalarsFollowTheTree() {
        // Left to right this is 0: 1 is lost in 1e17.
        #expect(SummationTree.sum([1e17, -1e17, 1, 0]) == 1)
        #expect(SummationTree.sum([1, 1e17, -1e17, 0]) == 0)
        #expect(SummationTree.sum([nil, nil]) == nil)
    }

    @Test func vectorsFollowTheTree() throws {
        // Longer than the tiles in which vectors are summed, and of a length that is no multiple of theirs.
        let count = 2_500
        let leaves: [[Float]] = (0..<11).map { leaf in
            let scale: Float = leaf % 3 == 0 ? 1e7 : 1e-3
            return (0..<count).map { index in
                let value: Int = (leaf * 7919 + index * 104_729) % 2003 - 1001
                return Float(value) * scale
            }
        }
        let absent: Set = [2, 8, 9]
        var sum = [Float](repeating: .nan, count: count)
        try withPointers(to: leaves) { pointers in
            let parts = pointers.enumerated().map { absent.contains($0) ? nil : $1 }
            try Communicator().orderedSum(
                parts, present: parts.map { $0 != nil }, count: count,
                partition: ShardPartition(shards: 11, ranks: 1), into: &sum)
        }
        let expected: [Float] = (0..<count).map { index in
            SummationTree.combine(count: 11, leaf: { absent.contains($0) ? nil : leaves[$0][index] }, add: +) ?? 0
        }
        let leftToRight: [Float] = (0..<count).map { index in
            leaves.indices.filter { !absent.contains($0) }.reduce(Float(0)) { $0 + leaves[$1][index] }
        }
        #expect(sum.map(\.bitPattern) == expected.map(\.bitPattern))
        #expect(sum != leftToRight, "the data cannot tell one order from another")
    }

    @Test func nothingIsAddedToALonePart() throws {
        var sum: [Float] = [.nan, .nan]
        try withPointers(to: [[-0.0, 5]]) { parts in
            try Communicator().orderedSum(
                [nil, parts[0], nil], present: [false, true, false], count: 2,
                partition: ShardPartition(shards: 3, ranks: 1), into: &sum)
        }
        #expect(sum[0].sign == .minus && sum == [0, 5])
    }

    /// Copies of the vectors that live during `body`.
    private func withPointers(to vectors: [[Float]], _ body: ([UnsafePointer<Float>]) throws -> Void) rethrows {
        let copies = vectors.map { vector in
            let copy = UnsafeMutablePointer<Float>.allocate(capacity: vector.count)
            copy.initialize(from: vector, count: vector.count)
            return copy
        }
        defer { copies.forEach { $0.deallocate() } }
        try body(copies.map { UnsafePointer($0) })
    }
}
