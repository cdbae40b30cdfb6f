import Evaluation
import Testing

@Suite struct BootstrapTests {
    private func interval(_ values: [Double?]) throws -> ClosedRange<Double> {
        try #require(Bootstrap(count: values.count).column(values)?.estimate.interval)
    }

    /// Of a share p of n records the bootstrap's deviation is √(p (1 − p) / n), and 1.96 of them to either side are 95 %.
    @Test(arguments: [(100, 0.5), (400, 0.9), (1000, 0.2)]) func intervalsOfSharesAreAsWideAsTheBinomials(count: Int, share: Double) throws {
        let interval = try interval((0..<count).map { Double($0) < share * Double(count) ? 1 : 0 })
        let half = 100 * 1.96 * (share * (1 - share) / Double(count)).squareRoot()
        #expect(abs(interval.lowerBound - (100 * share - half)) < 0.15 * half + 50 / Double(count), "\(interval)")
        #expect(abs(interval.upperBound - (100 * share + half)) < 0.15 * half + 50 / Double(count), "\(interval)")
    }

    @Test func whatIsTheSameEverywhereIsSure() throws {
        #expect(try interval([1, 1, 1, nil, 1]) == 100...100)
        let column = try #require(Bootstrap(count: 5).column([0.5, nil, nil, nil, nil]))
        #expect(column.value == 50 && column.estimate.interval == 50...50)
        #expect(Bootstrap(count: 3).column([nil, nil, nil]) == nil && Bootstrap(count: 1).column([1])?.estimate == Estimate(value: 100, interval: nil))
    }

    /// Means of the same draws: of two that are opposite the sum is sure, and so is what is made of a mean twice.
    @Test func allMeansSeeTheSameDraws() throws {
        let values = (0..<50).map { Double($0 % 3 == 0 ? 1 : 0) }, bootstrap = Bootstrap(count: 50)
        let one = try #require(bootstrap.column(values)), other = try #require(bootstrap.column(values.map { 1 - $0 }))
        #expect(zip(one.drawn, other.drawn).allSatisfy { abs($0 + $1 - 100) < 1e-9 } && Set(one.drawn).count > 5)
        let twice = Bootstrap.Column.harmonicMean([one, one])
        #expect(zip(twice.drawn, one.drawn).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(Bootstrap(count: 50).column(values)?.drawn == one.drawn)
    }

    @Test func harmonicMeansAreOfWhatThereIs() throws {
        func column(_ value: Double) -> Bootstrap.Column { Bootstrap.Column(value: value, drawn: [value, value]) }
        #expect(abs(Bootstrap.Column.harmonicMean([column(100), column(50), column(25)]).value - 300.0 / 7) < 1e-9)
        #expect(Bootstrap.Column.harmonicMean([column(100), column(0)]).value == 0 && Bootstrap.Column.harmonicMean([]).value.isNaN)
    }
}
