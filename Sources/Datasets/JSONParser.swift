/// A JSON value (RFC 8259). Numbers keep their characters, objects the order of their members.
enum JSONValue {
    case object([Member])
    case array([JSONValue])
    case text(String)
    case number(String)
    case boolean(Bool)
    case null

    struct Member {
        let key: String
        let value: JSONValue
    }

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .object: "an object"
        case .array: "a list"
        case .text(let text): "the text '\(excerpt(text))'"
        case .number(let digits): "the number \(excerpt(digits))"
        case .boolean(let value): "\(value)"
        case .null: "null"
        }
    }
}

/// Where the text stops being JSON, and why.
struct JSONError: Error {
    let offset: Int
    let problem: String
}

/// Parses one record at a time out of a text of many. The size and depth of a record are bounded, so that a hostile
/// file takes neither memory nor stack.
struct JSONParser {
    /// Bytes of one record; those of the published data sets have a few thousand.
    static let maximumRecordSize = 1 << 20
    static let maximumDepth = 64

    private let bytes: [UInt8]
    private(set) var position = 0
    /// Where the record being parsed must have ended.
    private var limit: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        limit = bytes.count
    }

    /// The byte at the position, or nil at the end of the text.
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// A value that begins at the position, which moves behind it.
    mutating func record() throws -> JSONValue {
        limit = position + min(bytes.count - position, Self.maximumRecordSize)
        defer { limit = bytes.count }
        return try value(depth: 0)
    }

    mutating func skipByteOrderMark() {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    mutating func skipSpace() {
        while position < limit, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
    }

    /// Steps over the character if it is the next one.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < limit, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    /// The error for what stands at the position, or for the text's end there.
    func unexpected(_ expected: String) -> JSONError {
        if position >= bytes.count {
            return JSONError(offset: position, problem: "the file ends here, expected \(expected); is it cut short?")
        }
        if position >= limit { return tooLarge() }
        let found = bytes[position...].prefix(12).prefix { $0 != 0x0A && $0 != 0x0D }
        return JSONError(
            offset: position, problem: "expected \(expected), found '\(oneLine(String(decoding: found, as: UTF8.self)))'")
    }

    /// Both counted from 1; the column in bytes.
    func lineAndColumn(at offset: Int) -> (line: Int, column: Int) {
        let before = bytes[..<min(offset, bytes.count)]
        let line = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return (line, before.count - lineStart + 1)
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.maximumDepth else {
            throw JSONError(
                offset: position, problem: "is nested more than \(Self.maximumDepth) deep; expected an edit record")
        }
        guard position < limit else { throw unexpected("a value") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object(try members(depth: depth))
        case UInt8(ascii: "["): return .array(try elements(depth: depth))
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: return try word()
        }
    }

    private mutating func members(depth: Int) throws -> [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        var keys: Set<[UInt8]> = []  // by bytes, not by canonical equivalence
        position += 1
        skipSpace()
        if take("}") { return members }
        repeat {
            skipSpace()
            let start = position
            guard position < limit, bytes[position] == UInt8(ascii: "\"") else { throw unexpected("a key in quotes") }
            let key = try string()
            guard keys.insert(Array(key.utf8)).inserted else {
                throw JSONError(offset: start, problem: "the key '\(excerpt(key))' comes twice in one object; expected it once")
            }
            skipSpace()
            guard take(":") else { throw unexpected("':' after the key '\(excerpt(key))'") }
            skipSpace()
            members.append(JSONValue.Member(key: key, value: try value(depth: depth + 1)))
            skipSpace()
        } while take(",")
        guard take("}") else { throw unexpected("',' or '}'") }
        return members
    }

    private mutating func elements(depth: Int) throws -> [JSONValue] {
        var elements: [JSONValue] = []
        position += 1
        skipSpace()
        if take("]") { return elements }
        repeat {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while take(",")
        guard take("]") else { throw unexpected("',' or ']'") }
        return elements
    }

    private mutating func word() throws -> JSONValue {
        let words: [(String, JSONValue)] = [("true", .boolean(true)), ("false", .boolean(false)), ("null", .null)]
        for (word, value) in words where bytes[position..<limit].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        if words.contains(where: { $0.0.utf8.starts(with: bytes[position..<limit]) }) { position = limit }
        throw unexpected("a value")
    }

    private mutating func number() throws -> String {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws {
        let start = position
        while position < limit, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position] { position += 1 }
        guard position > start else { throw unexpected("a digit") }
    }

    /// The text of a string whose opening quote is at the position.
    private mutating func string() throws -> String {
        let start = position
        position += 1
        var text: [UInt8] = []
        while true {
            let run = position
            while position < limit, bytes[position] >= 0x20, bytes[position] != UInt8(ascii: "\""),
                bytes[position] != UInt8(ascii: "\\") { position += 1 }
            text += bytes[run..<position]
            guard position < limit else { throw unexpected("the closing quote of a text") }
            if take("\"") { break }
            guard take("\\") else {
                throw JSONError(
                    offset: position,
                    problem: "has a line break or control character inside a text; expected an escape like \\n")
            }
            try escape(into: &text)
        }
        guard let valid = String(validating: text, as: UTF8.self) else {
            throw JSONError(offset: start, problem: "the text that begins here is not UTF-8")
        }
        return valid
    }

    /// What follows a backslash.
    private mutating func escape(into text: inout [UInt8]) throws {
        guard position < limit else { throw unexpected("an escape") }
        let simple: [UInt8: UInt8] = Self.simpleEscapes
        if let byte = simple[bytes[position]] {
            text.append(byte)
            position += 1
            return
        }
        guard take("u") else { throw unexpected("an escape: one of \" \\ / b f n r t u") }
        text += String(Character(try escapedScalar())).utf8
    }

    private static let simpleEscapes: [UInt8: UInt8] = [
        UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 0x08,
        UInt8(ascii: "f"): 0x0C, UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
    ]

    /// The scalar whose four hexadecimal digits, or whose pair of surrogates, begin at the position.
    private mutating func escapedScalar() throws -> Unicode.Scalar {
        let start = position
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        if (0xD800..<0xDC00).contains(first), take("\\"), take("u") {
            let second = try hexadecimal()
            if (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)) { return scalar }
        }
        throw JSONError(offset: start, problem: "half of a surrogate pair; expected \\u escapes in pairs")
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < limit, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw unexpected("four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private func tooLarge() -> JSONError {
        JSONError(
            offset: position,
            problem: "the record is larger than \(Self.maximumRecordSize >> 10) KiB; expected an edit record")
    }
}
