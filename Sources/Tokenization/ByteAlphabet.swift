/// GPT-2's spelling of bytes as printable characters: a byte that is a printable Latin-1 character other than a space
/// stands for itself, the others, in order, are U+0100, U+0101, … So a vocabulary of byte strings can be written as text.
enum ByteAlphabet {
    private static let scalars: [Unicode.Scalar] = {
        var next: UInt8 = 0
        return (UInt8.min...UInt8.max).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
                return Unicode.Scalar(byte)
            default:
                defer { next += 1 }
                return Unicode.Scalar(0x100 + UInt32(next)) ?? Unicode.Scalar(byte)
            }
        }
    }()

    private static let spellings: [[UInt8]] = scalars.map { Array(String($0).utf8) }

    private static let bytes: [Unicode.Scalar: UInt8] =
        Dictionary(uniqueKeysWithValues: zip(scalars, UInt8.min...UInt8.max))

    static func spell(_ text: ExactString) -> ExactString {
        var spelled: [UInt8] = []
        spelled.reserveCapacity(2 * text.utf8.count)
        for byte in text.utf8 { spelled += spellings[Int(byte)] }
        return ExactString(utf8: spelled)
    }

    /// The bytes that a token stands for; nil if it holds a character that stands for no byte.
    static func bytes(of token: ExactString) -> [UInt8]? {
        var result: [UInt8] = []
        for scalar in token.scalars {
            guard let byte = bytes[scalar] else { return nil }
            result.append(byte)
        }
        return result
    }
}
