import Foundation
import LinearAlgebra
import TensorCore

/// The machine's own rates on the threads of this process. They move with what else the machine does, so they are sampled beside each kernel.
final class Yardsticks {
    /// As `amend doctor` measures it, in GFLOP/s.
    let sgemmGflops: Double
    /// Of a copy far beyond the caches, in GB/s.
    let copyGigabytesPerSecond: Double
    private let sgemm: SgemmRate
    private static let largestCopy = 1 << 27

    private var source = Samples.bytes(largestCopy / 2)
    private var target = Samples.bytes(largestCopy / 2)

    init() throws {
        sgemm = try SgemmRate(threads: Threads.count)
        sgemmGflops = sgemm.best(of: 8)
        copyGigabytesPerSecond = Self.copyRate(bytes: Self.largestCopy, source, target) / 1e9
    }

    /// Operations or bytes per second, of what `kernel` is held against.
    func sample(for kernel: Kernel) -> Double {
        switch kernel.yardstick {
        case .sgemm: sgemm.best(of: 2) * 1e9
        case .copy: Self.copyRate(bytes: min(Self.largestCopy, max(1 << 14, Int(kernel.bytes))), source, target)
        }
    }

    private static func copyRate(bytes: Int, _ source: Bytes, _ target: Bytes) -> Double {
        let parts = Threads.count, part = bytes / 2 / parts
        let timing = Timing(samples: 3, leastSeconds: 1e-3, mostSeconds: 0.1) {
            parallelFor(parts) { memcpy(target.pointer + $0 * part, source.pointer + $0 * part, part) }
        }
        return Double(2 * part * parts) / timing.fastest
    }
}
