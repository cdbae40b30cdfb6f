import Communication
import LinearAlgebra
import TensorCore

/// OpenBLAS's sgemm, timed between the batches of a run: both meet the same moments of a machine whose rate moves with what else it does.
/// A mean is held against a mean.
final class SgemmBeside {
    /// Of a batch's time, spent on sgemm after it.
    private static let part = 0.1
    private let sgemm: SgemmRate
    private var seconds: [Double] = []
    private var mark = ContinuousClock.now  // when the batch began
    /// What all of this took.
    private(set) var spent = 0.0

    init() throws { sgemm = try SgemmRate(threads: Threads.count) }

    /// The first batch begins.
    func start() { mark = .now }

    /// A batch has ended and the next begins.
    func sample() {
        let start = ContinuousClock.now, wanted = Self.part * ((start - mark) / .seconds(1))
        _ = sgemm.sample()  // threads wake up
        var taken = 0.0
        repeat {
            seconds.append(sgemm.sample())
            taken += seconds[seconds.count - 1]
        } while taken < wanted
        mark = .now
        spent += (mark - start) / .seconds(1)
    }

    /// Of all ranks at once, in GFLOP/s; nil if there was no batch. Collective.
    func rates(_ communicator: Communicator) throws -> (mean: Double, best: Double)? {
        guard let fastest = seconds.min(), fastest > 0 else { return nil }
        let gigas = SgemmRate.operations / 1e9
        return (try communicator.sum(gigas * Double(seconds.count) / seconds.reduce(0, +)), try communicator.sum(gigas / fastest))
    }
}
