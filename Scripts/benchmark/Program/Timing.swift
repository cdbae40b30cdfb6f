import Foundation

/// Seconds of one call of something. A sample is as many calls as the clock needs to be exact.
struct Timing {
    let seconds: [Double]  // of the samples, ascending; never empty

    /// Calls once to warm up; then takes `samples` samples of at least `leastSeconds` each, and stops before that, but not before the third,
    /// when `mostSeconds` are over.
    init(samples: Int, leastSeconds: Double, mostSeconds: Double, _ body: () -> Void) {
        body()
        let calls = max(1, Int(leastSeconds / max(Self.measure(1, body), 1e-8)))
        var found: [Double] = [], total = 0.0
        while found.count < min(3, samples) || (found.count < samples && total < mostSeconds) {
            let seconds = Self.measure(calls, body)
            total += seconds
            found.append(seconds / Double(calls))
        }
        seconds = found.sorted()
    }

    init(seconds: [Double]) { self.seconds = seconds.sorted() }

    private static func measure(_ calls: Int, _ body: () -> Void) -> Double {
        let start = ContinuousClock.now
        for _ in 0..<calls { body() }
        return (ContinuousClock.now - start) / .seconds(1)
    }

    var fastest: Double { seconds[0] }
    var slowest: Double { seconds[seconds.count - 1] }
    var median: Double { (seconds[(seconds.count - 1) / 2] + seconds[seconds.count / 2]) / 2 }
}
