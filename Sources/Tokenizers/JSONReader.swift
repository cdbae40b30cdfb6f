import Foundation
import TensorCore

/// Reads one JSON text (RFC 8259). A syntax error is reported with its line.
struct JSONReader {
    private static let deepestNesting = 64
    private static let largestFileBytes = 1 << 26  // the largest published tokenizers have some 35 MB

    private let file: String
    private let bytes: [UInt8]
    private var position = 0

    static func read(contentsOf path: String) throws -> JSONNode {
        var reader = JSONReader(file: path, bytes: try contents(of: path))
        return JSONNode(value: try reader.document(), file: path, path: "")
    }

    private static func contents(of path: String) throws -> [UInt8] {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            data = try file.read(upToCount: largestFileBytes + 1) ?? Data()
        } catch {
            throw BadInput(path, "cannot be read: \(error.localizedDescription)")
        }
        guard data.count <= largestFileBytes else {
            throw BadInput(path, "is no tokenizer: it has more than \(largestFileBytes) bytes")
        }
        if let problem = problem(ofGitLFSPointer: data) { throw BadInput(path, problem) }
        return Array(data)
    }

    private mutating func document() throws -> JSONValue {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw BadInput(file, "is not valid UTF-8") }
        let value = try self.value(depth: 0)
        skipWhitespace()
        guard position == bytes.count else { throw fail("text after the end of the JSON value") }
        return value
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.deepestNesting else { throw fail("nested more than \(Self.deepestNesting) deep") }
        skipWhitespace()
        switch peek {
        case UInt8(ascii: "{"): return .object(try members(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try elements(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func members(depth: Int) throws -> [JSONMember] {
        var members: [JSONMember] = []
        try list(closedBy: UInt8(ascii: "}")) { reader in
            reader.skipWhitespace()
            guard reader.peek == UInt8(ascii: "\"") else { throw reader.fail("expected a member name") }
            let name = try reader.string()
            reader.skipWhitespace()
            guard reader.take(UInt8(ascii: ":")) else { throw reader.fail("expected ':' after '\(name.string.onOneLine)'") }
            members.append(JSONMember(name: name, value: try reader.value(depth: depth)))
        }
        return members
    }

    private mutating func elements(depth: Int) throws -> [JSONValue] {
        var elements: [JSONValue] = []
        try list(closedBy: UInt8(ascii: "]")) { reader in
            elements.append(try reader.value(depth: depth))
        }
        return elements
    }

    /// Reads what stands between the bracket at the current position and its closing one.
    private mutating func list(closedBy close: UInt8, item: (inout JSONReader) throws -> Void) throws {
        position += 1
        skipWhitespace()
        if take(close) { return }
        while true {
            try item(&self)
            skipWhitespace()
            if take(close) { return }
            guard take(UInt8(ascii: ",")) else {
                throw fail("expected ',' or '\(Character(Unicode.Scalar(close)))'")
            }
        }
    }

    private mutating func number() throws -> Double {
        let start = position
        while let byte = peek, isPartOfNumber(byte) { position += 1 }
        guard let number = Double(String(decoding: bytes[start..<position], as: UTF8.self)), number.isFinite else {
            position = start
            throw fail("expected a JSON value")
        }
        return number
    }

    private func isPartOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): true
        default: false
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
        let text = Array("\(word)".utf8)
        guard bytes[position...].starts(with: text) else { throw fail("expected a JSON value") }
        position += text.count
        return value
    }
}

// Strings
extension JSONReader {
    private mutating func string() throws -> ExactString {
        position += 1
        var text: [UInt8] = []
        while true {
            let start = position
            while let byte = peek, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { position += 1 }
            text += bytes[start..<position]
            guard let byte = peek, byte >= 0x20 else { throw fail("a control character in a string") }
            position += 1
            if byte == UInt8(ascii: "\"") { return ExactString(utf8: text) }
            try escape(into: &text)
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let byte = peek else { throw fail("ends within a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: UTF8.encode(try escapedScalar()) ?? .init())
        default: throw fail("an unknown escape in a string")
        }
    }

    /// After `\u`: four hexadecimal digits, or a surrogate pair in two such escapes.
    private mutating func escapedScalar() throws -> Unicode.Scalar {
        let unit = try hexadecimalUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard UTF16.isLeadSurrogate(unit), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw fail("a surrogate without its other half in a string")
        }
        let trail = try hexadecimalUnit()
        guard UTF16.isTrailSurrogate(trail) else { throw fail("a surrogate without its other half in a string") }
        return UTF16.decode(UTF16.EncodedScalar([unit, trail]))
    }

    private mutating func hexadecimalUnit() throws -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fail("expected four hexadecimal digits after \\u")
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }
}

// Bytes
extension JSONReader {
    private init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipWhitespace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func fail(_ problem: String) -> BadInput {
        let line = 1 + bytes[..<min(position, bytes.count)].count { $0 == 0x0A }
        return BadInput("\(file), line \(line)", "is not JSON: \(position >= bytes.count ? "the file ends too early" : problem)")
    }
}
