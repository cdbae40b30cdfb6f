import Documents

/// Turns tokens back into text. Named as in tokenizer.json.
indirect enum TokenDecoder: Sendable {
    case sequence([TokenDecoder])
    case byteLevel
    case byteFallback
    case fuse
    case replace(TextPattern, with: ExactString)
    case strip(Unicode.Scalar, start: Int, stop: Int)
    case metaspace(Metaspace)

    init(_ node: JSONNode) throws {
        let type = try node.componentType()
        switch type.name {
        case "Sequence": self = .sequence(try node.required("decoders").elements().map(TokenDecoder.init))
        case "ByteLevel": self = .byteLevel
        case "ByteFallback": self = .byteFallback
        case "Fuse": self = .fuse
        case "Replace":
            self = .replace(try TextPattern(node.required("pattern")), with: try node.required("content").exactString())
        case "Strip":
            self = .strip(
                try node.required("content").scalar(), start: Int(try node.required("start").index()),
                stop: Int(try node.required("stop").index()))
        case "Metaspace": self = .metaspace(try Metaspace(node))
        case let other: throw type.node.fail("unknown decoder '\(other)'")
        }
    }

    func apply(_ tokens: [ExactString]) -> [ExactString] {
        switch self {
        case .sequence(let decoders): decoders.reduce(tokens) { $1.apply($0) }
        case .byteLevel: [Self.repaired(tokens.flatMap { ByteAlphabet.bytes(of: $0) ?? $0.utf8 })]
        case .byteFallback: Self.joiningBytes(tokens)
        case .fuse: [ExactString(utf8: tokens.flatMap(\.utf8))]
        case .replace(let pattern, let replacement): tokens.map { pattern.replacingMatches(in: $0, with: replacement) }
        case .strip(let scalar, let start, let stop): tokens.map { Self.strip($0, of: scalar, start: start, stop: stop) }
        case .metaspace(let metaspace):
            tokens.enumerated().map { metaspace.decode($1, isFirst: $0 == 0) }
        }
    }

    private static func repaired(_ bytes: [UInt8]) -> ExactString {
        ExactString(String(decoding: bytes, as: UTF8.self))
    }

    /// Each run of tokens such as "<0x0A>" becomes one token of those bytes or, where they are not UTF-8, as many U+FFFD.
    private static func joiningBytes(_ tokens: [ExactString]) -> [ExactString] {
        var result: [ExactString] = []
        var bytes: [UInt8] = []
        func finishRun() {
            if String(validating: bytes, as: UTF8.self) != nil {
                if !bytes.isEmpty { result.append(ExactString(utf8: bytes)) }
            } else {
                result += Array(repeating: ExactString("\u{FFFD}"), count: bytes.count)
            }
            bytes = []
        }
        for token in tokens {
            if let byte = byte(of: token) {
                bytes.append(byte)
            } else {
                finishRun()
                result.append(token)
            }
        }
        finishRun()
        return result
    }

    private static func byte(of token: ExactString) -> UInt8? {
        let text = token.utf8
        guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16)
    }

    /// Without up to `start` and `stop` of that scalar at its ends.
    private static func strip(_ token: ExactString, of scalar: Unicode.Scalar, start: Int, stop: Int) -> ExactString {
        let scalars = Array(token.scalars)
        let first = scalars.prefix(start).prefix { $0 == scalar }.count
        let last = scalars.dropFirst(first).suffix(stop).reversed().prefix { $0 == scalar }.count
        return ExactString(scalars[first..<scalars.count - last].map(String.init).joined())
    }
}
