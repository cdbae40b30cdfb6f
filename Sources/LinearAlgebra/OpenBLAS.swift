import COpenBLAS
import Foundation
import TensorCore

/// What OpenBLAS found of this processor, and the choice of its kernels.
public enum OpenBLAS {
    /// The kernels in use, by OpenBLAS's name for them: "Haswell", "SkylakeX", "Zen", …
    public static var core: String { String(cString: openblas_get_corename()) }

    public static var version: String { String(cString: openblas_get_config()) }

    /// Every factorisation runs on one thread; amend spreads independent ones itself.
    static func useOneThread() { openblas_set_num_threads(1) }

    /// The OPENBLAS_CORETYPE that suits this processor better than OpenBLAS's own choice, if there is one: Debian's 0.3.21
    /// does not know processors newer than itself (Zen 4 and 5, Sapphire Rapids) and gives them its AVX2 kernels.
    public static var betterCore: String? {
        let hasAVX512 = kernelVariant.hasPrefix("avx512")
        let avx512Cores: Set = ["SkylakeX", "Cooperlake", "SapphireRapids"]
        return hasAVX512 && !avx512Cores.contains(core) ? "SkylakeX" : nil
    }

    /// The machine's float32 matrix rate as OpenBLAS reaches it, in GFLOP/s: the best of a few samples on `threads` threads.
    /// Takes about half a second.
    public static func measureRate(threads: Int) -> Double { SgemmRate(threads: threads).best(of: 8) }
}

/// The rate of OpenBLAS's sgemm on matrices of 1536 × 1536, against which the rates of everything else are held.
public final class SgemmRate {
    private static let size = 1536
    private let threads: Int
    private let a = Matrix(rows: size, columns: size), b = Matrix(rows: size, columns: size), c = Matrix(rows: size, columns: size)

    public init(threads: Int) {
        self.threads = threads
        RandomStream(seed: 1, purpose: .tests).fillNormal(0..<a.count, into: a.pointer)
        b.assign(a)
    }

    public static var operations: Double { 2 * pow(Double(size), 3) }

    /// The best of so many products, in GFLOP/s.
    public func best(of samples: Int) -> Double { (0..<samples).map { _ in Self.operations / sample() / 1e9 }.max() ?? 0 }

    /// Seconds of one product.
    public func sample() -> Double {
        openblas_set_num_threads(Int32(threads))
        defer { openblas_set_num_threads(1) }
        let n = Int32(Self.size), start = ContinuousClock.now
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a.pointer, n, b.pointer, n, 0, c.pointer, n)
        return (ContinuousClock.now - start) / .seconds(1)
    }
}
