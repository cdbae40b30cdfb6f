import TensorCore

/// How sure means over records are: what they are where as many records are drawn anew from those there are, with replacement (Efron and Tibshirani, An Introduction
/// to the Bootstrap, 1993, chapter 13). All means see the same draws, so what is made of several is as sure as they are together. The same draws for the same number
/// of records.
package struct Bootstrap {
    private static let drawCount = 1000
    /// How often each draw has each record.
    private let draws: [[UInt8]]

    /// Of `count` records.
    package init(count: Int) {
        let stream = RandomStream(seed: UInt64(count), purpose: .bootstrap)
        draws =
            count < 2
            ? []
            : (0..<Self.drawCount).map { draw in
                var times = [UInt8](repeating: 0, count: count)
                for block in 0..<(count + 3) / 4 {
                    let words = stream.block(UInt64(draw * ((count + 3) / 4) + block))
                    for (word, bits) in [words.0, words.1, words.2, words.3].enumerated() where 4 * block + word < count {
                        times[RandomStream.number(bits, below: count)] &+= 1
                    }
                }
                return times
            }
    }

    /// A mean, and what it is in each draw, in percent.
    package struct Column {
        package let value: Double
        /// NaN where a draw has nothing to take the mean of.
        package let drawn: [Double]

        package init(value: Double, drawn: [Double]) {
            self.value = value
            self.drawn = drawn
        }

        package var estimate: Estimate {
            let sorted = drawn.filter { !$0.isNaN }.sorted()
            guard sorted.count >= 2 else { return Estimate(value: value, interval: nil) }
            let tail = sorted.count / 40
            return Estimate(value: value, interval: sorted[tail]...sorted[sorted.count - 1 - tail])
        }

        package static func harmonicMean(_ columns: [Column]) -> Column {
            func mean(_ values: [Double]) -> Double {
                if values.isEmpty || values.contains(where: \.isNaN) { return .nan }
                return values.contains(0) ? 0 : Double(values.count) / values.reduce(0) { $0 + 1 / $1 }
            }
            let drawn = columns.first.map { $0.drawn.indices.map { draw in mean(columns.map { $0.drawn[draw] }) } }
            return Column(value: mean(columns.map(\.value)), drawn: drawn ?? [])
        }
    }

    /// Of the records' values; nil where none has any.
    package func column(_ values: [Double?]) -> Column? {
        let present = values.compactMap { $0 }
        guard !present.isEmpty else { return nil }
        let numbers = values.map { $0 ?? 0 }, weights: [Double] = values.map { $0 == nil ? 0 : 1 }
        let drawn = draws.map { times in
            var sum = 0.0, count = 0.0
            for index in times.indices {
                sum += Double(times[index]) * numbers[index]
                count += Double(times[index]) * weights[index]
            }
            return 100 * sum / count
        }
        return Column(value: 100 * present.reduce(0, +) / Double(present.count), drawn: drawn)
    }
}
