import Crypto
import Documents

/// A SHA-256, written as 64 lower-case hexadecimal digits.
struct Checksum: Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]  // [32]

    init(of buffer: UnsafeRawBufferPointer) {
        var hash = SHA256()
        hash.update(bufferPointer: buffer)
        bytes = Array(hash.finalize())
    }

    init(of list: [UInt8]) { self = list.withUnsafeBytes { Checksum(of: $0) } }

    /// nil unless it is 64 lower-case hexadecimal digits.
    init?(hexadecimal text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for i in stride(from: 0, to: 64, by: 2) {
            guard let high = Self.value(of: digits[i]), let low = Self.value(of: digits[i + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

extension JSONNode {
    func checksum() throws -> Checksum {
        guard let checksum = Checksum(hexadecimal: try string()) else { throw fail("is not a SHA-256 in hexadecimal") }
        return checksum
    }
}
