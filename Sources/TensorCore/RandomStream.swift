import CKernels

/// Random numbers by counter: Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// A number depends on (seed, purpose, index) alone: never on a rank, a thread, the clock, or what was drawn before.
package struct RandomStream: Sendable {
    /// What a stream is for. Raw values are part of the format: they must never change or be reused.
    package enum Purpose: UInt32, Sendable {
        case hypernetworkInitialization = 1
        case sampling = 2
        case generation = 3
        case contrast = 4
        case batchSizes = 5
        case passages = 6
        case bootstrap = 7
        case prefixes = 8
        case curvature = 9
        case tests = 1000
    }

    private let key: (UInt32, UInt32)
    private let stream: (UInt32, UInt32)

    /// `lane` separates streams of one purpose: a tensor's number, say.
    package init(seed: UInt64, purpose: Purpose, lane: UInt32 = 0) {
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        stream = (purpose.rawValue, lane)
    }

    /// A number from 0 to `count` − 1, by the first word of block `counter`.
    package func number(_ counter: UInt64, below count: Int) -> Int { Self.number(block(counter).0, below: count) }

    /// A number from 0 to `count` − 1, by a word of a block.
    package static func number(_ word: UInt32, below count: Int) -> Int { Int((UInt64(word) * UInt64(count)) >> 32) }

    /// A number from 0 to less than 1, by the first word of block `counter`.
    package func uniform(_ counter: UInt64) -> Double { Double(block(counter).0) / 4_294_967_296 }

    /// Four 32-bit words of block `counter`.
    package func block(_ counter: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
        var x = (UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32), stream.0, stream.1)
        var k = key
        for _ in 0..<10 {
            let a = 0xD251_1F53 * UInt64(x.0), b = 0xCD9E_8D57 * UInt64(x.2)
            x = (
                UInt32(truncatingIfNeeded: b >> 32) ^ x.1 ^ k.0, UInt32(truncatingIfNeeded: b),
                UInt32(truncatingIfNeeded: a >> 32) ^ x.3 ^ k.1, UInt32(truncatingIfNeeded: a)
            )
            k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85)
        }
        return x
    }

    /// Standard normal numbers with indices `range` of this stream (Box and Muller; four to a block), the same bits on every machine.
    package func fillNormal(_ range: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        guard !range.isEmpty else { return }
        let (firstBlock, skipped) = range.lowerBound.quotientAndRemainder(dividingBy: 4)
        var written = 0
        if skipped > 0 { written += copyPart(of: firstBlock, from: skipped, to: min(4, skipped + range.count), into: out) }
        let whole = (range.count - written) / 4, next = (range.lowerBound + written) / 4
        normals(next, whole, out + written)
        written += 4 * whole
        if written < range.count { _ = copyPart(of: next + whole, from: 0, to: range.count - written, into: out + written) }
    }

    private func copyPart(of block: Int, from first: Int, to end: Int, into out: UnsafeMutablePointer<Float>) -> Int {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 4) { four in
            guard let start = four.baseAddress else { return }
            normals(block, 1, start)
            out.update(from: start + first, count: end - first)
        }
        return end - first
    }

    private func normals(_ first: Int, _ count: Int, _ out: UnsafeMutablePointer<Float>) {
        amend_philox_normals([key.0, key.1], [stream.0, stream.1], UInt64(first), count, out)
    }
}
