/// Where a text stops being JSON, and why.
package struct JSONError: Error {
    /// The byte, counted from 0.
    package let offset: Int
    package let problem: String

    package init(offset: Int, problem: String) {
        self.offset = offset
        self.problem = problem
    }

    /// Both counted from 1, in the text; the column in bytes.
    package func lineAndColumn(in text: UnsafeRawBufferPointer) -> (line: Int, column: Int) {
        let before = text[..<min(offset, text.count)]
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return (before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }, before.count - lineStart + 1)
    }
}

/// Reads JSON front to back: strict (RFC 8259), and stricter where readers differ: no key twice in an object, no lone surrogates, valid UTF-8,
/// at most 64 levels. Values can be taken as a tree (`value`) or one by one, without one, so that memory does not depend on what a text claims.
/// Every failure is a `JSONError`.
///
/// The bytes must outlive the parser.
package struct JSONParser {
    package struct Options: Sendable {
        /// Numbers become `digits`, as they are written.
        package var keepsSpelling = false
        /// Numbers that fit neither 64 bits nor a double are refused.
        package var refusesLargeNumbers = false
        /// Values in a tree, all levels counted.
        package var mostValues = Int.max

        package init() {}

        /// Only numbers that come back bit for bit, and at most four million values.
        package static let exact = {
            var options = Options()
            (options.refusesLargeNumbers, options.mostValues) = (true, 4_000_000)
            return options
        }()
    }

    package static let deepest = 64

    let bytes: UnsafeRawBufferPointer
    let options: Options
    package internal(set) var position = 0
    /// Where what is being read must have ended, and what is said if it has not.
    var limit: Int
    private var whatIsLimited = ""
    private var depth = 0
    private var values = 0

    package init(_ bytes: UnsafeRawBufferPointer, options: Options = Options()) {
        self.bytes = bytes
        self.options = options
        limit = bytes.count
    }

    /// One value of at most `size` bytes; `what` is what it is, for messages.
    package mutating func value(atMost size: Int, what: String) throws -> JSONValue {
        (limit, whatIsLimited) = (position + min(bytes.count - position, size), "the \(what) is larger than \(size >> 10) KiB")
        defer { limit = bytes.count }
        return try value()
    }

    // MARK: trees

    package mutating func value() throws -> JSONValue {
        values += 1
        guard values <= options.mostValues else { throw failure("more than \(options.mostValues) values") }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"):
            var members: [JSONObject.Member] = []
            try object { parser, key in members.append(JSONObject.Member(key, try parser.value())) }
            return .object(JSONObject(members: members))
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            try array { parser in elements.append(try parser.value()) }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
        let count = word.utf8CodeUnitCount
        for index in 0..<count {
            guard position + index < limit else { throw JSONError(offset: limit, problem: unexpected("a value", at: limit)) }
            guard bytes[position + index] == word.utf8Start[index] else { throw unexpected("a value") }
        }
        position += count
        return value
    }

    // MARK: containers

    /// Calls `body` for every key, with the parser before its value, which `body` must read.
    package mutating func object(_ body: (inout JSONParser, _ key: String) throws -> Void) throws {
        var keys = KeySet()
        try container(from: "{", to: "}") { parser in
            parser.skipSpace()
            let start = parser.position
            let key = try parser.string("a key in quotes")
            guard keys.insert(key) else { throw JSONError(offset: start, problem: "the key \(quoted(key)) appears twice") }
            guard parser.take(":") else { throw parser.unexpected("':' after the key \(quoted(key))") }
            try body(&parser, key)
        }
    }

    /// Calls `body` before every element, which it must read.
    package mutating func array(_ body: (inout JSONParser) throws -> Void) throws {
        try container(from: "[", to: "]", body)
    }

    private mutating func container(
        from opening: Unicode.Scalar, to closing: Unicode.Scalar, _ body: (inout JSONParser) throws -> Void
    ) throws {
        guard take(opening) else { throw unexpected("'\(opening)'") }
        guard depth < Self.deepest else { throw failure("nested deeper than \(Self.deepest) levels") }
        depth += 1
        defer { depth -= 1 }
        if take(closing) { return }
        repeat { try body(&self) } while take(",")
        guard take(closing) else { throw unexpected("',' or '\(closing)'") }
    }

    /// Throws where anything but white space is left.
    package mutating func finish(expecting expected: String = "the end") throws {
        skipSpace()
        guard position == bytes.count else { throw unexpected(expected) }
    }

    // MARK: single values

    /// Reads any value and drops it.
    package mutating func skipValue() throws {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): try object { parser, _ in try parser.skipValue() }
        case UInt8(ascii: "["): try array { parser in try parser.skipValue() }
        default: _ = try value()
        }
    }

    /// Reads null, if that comes next.
    package mutating func skipNull() throws -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: "n") else { return false }
        _ = try value()
        return true
    }

    /// A whole number from 0 to `Int.max`, written without fraction or exponent.
    package mutating func count() throws -> Int {
        skipSpace()
        let start = position
        guard let digit = peek, UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit else { throw unexpected("a whole number from 0") }
        let number = try scanNumber()
        guard number.isWhole else { throw JSONError(offset: start, problem: "expected a whole number, found a fraction or exponent") }
        guard let value = number.integer else { throw JSONError(offset: start, problem: "the number is too large") }
        return value
    }
}

// Bytes
extension JSONParser {
    @inline(__always) var peek: UInt8? { position < limit ? bytes[position] : nil }

    /// The next byte is that of the text, not of a value that must not be as large.
    package var isAtEnd: Bool { position >= bytes.count }

    package mutating func skipSpace() {
        while let byte = peek, byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    package mutating func skipByteOrderMark() {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    /// Whether the character comes next, after white space.
    package mutating func sees(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        return peek == UInt8(ascii: character)
    }

    /// Steps over the character if it comes next, after white space.
    package mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard sees(character) else { return false }
        position += 1
        return true
    }

    /// The error for what stands at the position.
    package func failure(_ problem: String) -> JSONError { JSONError(offset: position, problem: problem) }

    /// The error for what stands at the position, or for the text's end there.
    package func unexpected(_ expected: String) -> JSONError { failure(unexpected(expected, at: position)) }

    private func unexpected(_ expected: String, at position: Int) -> String {
        guard position < bytes.count else { return "expected \(expected), found the end; is it cut short?" }
        guard position < limit else { return whatIsLimited }
        guard bytes[position] < 0x80 else { return "expected \(expected), found byte \(bytes[position])" }
        let found = bytes[position...].prefix(12).prefix { $0 != 0x0A && $0 != 0x0D }
        return "expected \(expected), found \(found.isEmpty ? "the end of a line" : quoted(String(decoding: found, as: UTF8.self)))"
    }
}
