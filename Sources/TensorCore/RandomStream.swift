import Foundation

/// Random numbers by counter: Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// A number depends on (seed, purpose, index) alone: never on a rank, a thread, the clock, or what was drawn before.
public struct RandomStream: Sendable {
    /// What a stream is for. Raw values are part of the format: they must never change or be reused.
    public enum Purpose: UInt32, Sendable {
        case hypernetworkInitialization = 1
        case sampling = 2
        case generation = 3
        case tests = 1000
    }

    private let key: (UInt32, UInt32)
    private let stream: (UInt32, UInt32)

    /// `lane` separates streams of one purpose: a tensor's number, say.
    public init(seed: UInt64, purpose: Purpose, lane: UInt32 = 0) {
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        stream = (purpose.rawValue, lane)
    }

    /// Four 32-bit words of block `counter`.
    public func block(_ counter: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
        var x = (UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32), stream.0, stream.1)
        var k = key
        for _ in 0..<10 {
            let a = 0xD251_1F53 * UInt64(x.0), b = 0xCD9E_8D57 * UInt64(x.2)
            x = (UInt32(truncatingIfNeeded: b >> 32) ^ x.1 ^ k.0, UInt32(truncatingIfNeeded: b),
                 UInt32(truncatingIfNeeded: a >> 32) ^ x.3 ^ k.1, UInt32(truncatingIfNeeded: a))
            k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85)
        }
        return x
    }

    /// Standard normal numbers with indices `range` of this stream (Box and Muller; four to a block).
    public func fillNormal(_ range: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        var index = range.lowerBound
        while index < range.upperBound {
            let four = normals(UInt64(index / 4))
            let last = min(range.upperBound, (index / 4 + 1) * 4)
            for i in index..<last { out[i - range.lowerBound] = four[i % 4] }
            index = last
        }
    }

    private func normals(_ counter: UInt64) -> SIMD4<Float> {
        let words = block(counter)
        let (a, b) = Self.pair(words.0, words.1)
        let (c, d) = Self.pair(words.2, words.3)
        return [a, b, c, d]
    }

    private static func pair(_ first: UInt32, _ second: UInt32) -> (Float, Float) {
        let unit = 1.0 / 4_294_967_296.0
        let radius = sqrt(-2 * log((Double(first) + 0.5) * unit))
        let angle = 2 * Double.pi * (Double(second) + 0.5) * unit
        return (Float(radius * cos(angle)), Float(radius * sin(angle)))
    }
}
