import Datasets
import Testing

@Suite struct SampleOrderTests {
    /// The first three times through seven records: Fisher and Yates over Philox, from a program of its own that gives the paper's known answers.
    @Test(
        arguments: [
            (5, [1, 5, 2, 3, 4, 6, 0, 5, 0, 4, 6, 1, 3, 2, 2, 4, 3, 6, 5, 1, 0]),
            (6, [1, 4, 6, 0, 2, 3, 5, 3, 2, 6, 5, 1, 4, 0, 4, 1, 6, 3, 2, 0, 5]),
            (5 + (1 << 32), [5, 1, 2, 3, 6, 0, 4, 1, 6, 4, 5, 2, 0, 3, 0, 6, 3, 5, 2, 1, 4]),
        ] as [(UInt64, [Int])])
    func ordersAreThoseOfTheReference(seed: UInt64, expected: [Int]) {
        let order = SampleOrder(count: 7, seed: seed)
        #expect(order.records(0..<21) == expected)
        // From anywhere, across the end of a permutation.
        #expect(order.records(5..<16) == Array(expected[5..<16]))
    }

    /// Places in a long order where the lower word of a random number decides, by the same program.
    @Test func bothWordsOfANumberCount() {
        let order = SampleOrder(count: 200_000, seed: 5).records(0..<200_000)
        #expect([32587, 50730, 97225, 134_647, 135_972, 190_757].map { order[$0] } == [154_305, 199_254, 191_351, 110_744, 190_757, 52848])
        #expect(order[..<3] == [182_225, 112_779, 83900] && order.suffix(2) == [150_200, 140_389])
    }
}
