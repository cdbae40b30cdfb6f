/// A 64-bit FNV-1a hash that tells inputs apart: models and data that a run may resume on. Not for adversaries.
public struct Fingerprint: Sendable {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Of nothing yet.
    public init() {}

    /// Takes a byte in.
    public mutating func mix(byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }

    /// Takes a word's bytes in, the lowest first.
    public mutating func mix(_ word: UInt32) {
        for shift in stride(from: 0, to: 32, by: 8) { mix(byte: UInt8(truncatingIfNeeded: word >> UInt32(shift))) }
    }

    /// The text's UTF-8 and an end mark, so that "a", "b" and "ab", "" differ.
    public mutating func mix(_ text: String) {
        for byte in text.utf8 { mix(byte: byte) }
        mix(byte: 0xFF)
    }

    /// The hash so far.
    public var value: UInt64 { hash }

    /// In hexadecimal.
    public var text: String { String(hash, radix: 16) }
}
