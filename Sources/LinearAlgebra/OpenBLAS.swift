import COpenBLAS
import Foundation
import Synchronization
import TensorCore

private let buffersTaken = Atomic<Int>(0), buffersWanted = Atomic<Int>(0)

/// What OpenBLAS found of this processor, and the choice of its kernels.
package enum OpenBLAS {
    /// The kernels in use, by OpenBLAS's name for them: "Haswell", "SkylakeX", "Zen", …
    package static var core: String { String(cString: openblas_get_corename()) }

    package static var version: String { String(cString: openblas_get_config()) }

    /// Every factorisation runs on one thread; amend spreads independent ones itself.
    static func useOneThread() { openblas_set_num_threads(1) }

    /// What OpenBLAS maps for each call that is under way at the same time, at the first of them; then it keeps it. (BUFFER_SIZE, the largest of any
    /// processor's; read as it is in 0.3.21.)
    static let bufferBytes = 128 << 20

    /// Takes the buffers that calls on so many threads at a time need, unless that was done. Where one cannot be mapped 0.3.21 tries again for ever, in
    /// whatever call it happens, and no signal ends that (mended in its pull request 5303): so it is asked for them when they can be
    /// had, once and for all. Where the process is limited to little address space, buffers get half of what is left of it, and calls
    /// wait for each other. Throws `OutOfMemory` if there is not even one.
    package static func takeBuffers(threads: Int) throws {
        guard threads > buffersWanted.load(ordering: .relaxed) else { return }
        let affordable = Memory.roomBelowLimit.map { max(1, $0 / 2 / bufferBytes) } ?? threads
        let taken = buffersTaken.load(ordering: .relaxed), count = max(taken, min(threads, affordable))
        guard count == taken || Memory.has(bytes: (count - taken) * bufferBytes) else {
            throw OutOfMemory(bytes: (count - taken) * bufferBytes, for: count == 1 ? "OpenBLAS's work buffer" : "OpenBLAS's work buffers, \(count) of them")
        }
        if let buffers = Buffers() { (0..<count).map { _ in buffers.take(0) }.forEach { buffers.giveBack($0) } }
        buffersTaken.store(count, ordering: .relaxed)
        buffersWanted.store(threads, ordering: .relaxed)
    }

    /// How many calls may be under way at the same time.
    static var callsAtATime: Int { buffersTaken.load(ordering: .relaxed) }

    /// The functions of OpenBLAS by which its own take and give back their buffers; nil where the library hides them.
    private struct Buffers {
        let take: @convention(c) (Int32) -> UnsafeMutableRawPointer?
        let giveBack: @convention(c) (UnsafeMutableRawPointer?) -> Void

        init?() {
            guard let take = dlsym(nil, "blas_memory_alloc"), let giveBack = dlsym(nil, "blas_memory_free") else { return nil }
            self.take = unsafeBitCast(take, to: (@convention(c) (Int32) -> UnsafeMutableRawPointer?).self)
            self.giveBack = unsafeBitCast(giveBack, to: (@convention(c) (UnsafeMutableRawPointer?) -> Void).self)
        }
    }

    /// The OPENBLAS_CORETYPE that suits this processor better than OpenBLAS's own choice, if there is one: Debian's 0.3.21
    /// does not know processors newer than itself (Zen 4 and 5, Sapphire Rapids) and gives them its AVX2 kernels.
    package static var betterCore: String? {
        let hasAVX512 = kernelVariant.hasPrefix("avx512")
        let avx512Cores: Set = ["SkylakeX", "Cooperlake", "SapphireRapids"]
        return hasAVX512 && !avx512Cores.contains(core) ? "SkylakeX" : nil
    }

    /// The machine's float32 matrix rate as OpenBLAS reaches it, in GFLOP/s: the best of a few samples on `threads` threads.
    /// Takes about half a second.
    package static func measureRate(threads: Int) throws -> Double { try SgemmRate(threads: threads).best(of: 8) }
}

/// The rate of OpenBLAS's sgemm on matrices of 1536 × 1536, against which the rates of everything else are held.
package final class SgemmRate {
    private static let size = 1536
    private static let stackBytes = 8 << 20
    private let threads: Int
    private let a = Matrix(rows: size, columns: size), b = Matrix(rows: size, columns: size), c = Matrix(rows: size, columns: size)

    /// Throws `OutOfMemory` if OpenBLAS's threads, which it starts here, would have no memory for their buffers.
    package init(threads: Int) throws {
        let missing = threads * (OpenBLAS.bufferBytes + Self.stackBytes)
        guard Memory.has(bytes: missing) else {
            throw OutOfMemory(bytes: missing, for: "OpenBLAS's threads and their buffers, \(threads) of them")
        }
        self.threads = threads
        RandomStream(seed: 1, purpose: .tests).fillNormal(0..<a.count, into: a.pointer)
        b.assign(a)
        _ = sample()
    }

    package static var operations: Double { 2 * pow(Double(size), 3) }

    /// The best of so many products, in GFLOP/s.
    package func best(of samples: Int) -> Double { (0..<samples).map { _ in Self.operations / sample() / 1e9 }.max() ?? 0 }

    /// Seconds of one product.
    package func sample() -> Double {
        openblas_set_num_threads(Int32(threads))
        defer { openblas_set_num_threads(1) }
        let n = Int32(Self.size), start = ContinuousClock.now
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a.pointer, n, b.pointer, n, 0, c.pointer, n)
        return (ContinuousClock.now - start) / .seconds(1)
    }
}
