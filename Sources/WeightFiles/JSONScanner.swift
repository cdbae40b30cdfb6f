import TensorCore

/// Reads JSON front to back without building a tree, so that memory does not depend on what a file claims. Strict (RFC
/// 8259) and stricter where readers differ: no key twice in an object, no lone surrogates, at most `deepest` levels.
/// Every failure is a `BadInput` that names the byte.
struct JSONScanner {
    private let bytes: UnsafeRawBufferPointer
    private let path: String
    private let subject: String
    private var position = 0
    private var depth = 0
    private let deepest = 64

    /// `subject` is what the text is, for messages: "header".
    init(_ bytes: UnsafeRawBufferPointer, path: String, subject: String) {
        self.bytes = bytes
        self.path = path
        self.subject = subject
    }

    /// Throws `BadInput` unless `file` holds one JSON object and nothing else.
    static func checkObject(_ file: MappedFile, subject: String) throws {
        var scanner = JSONScanner(file.bytes, path: file.path, subject: subject)
        try scanner.object { scanner, _ in try scanner.skipValue() }
        try scanner.finish()
    }

    func failure(_ problem: String) -> BadInput { BadInput(path, "the \(subject) at byte \(position): \(problem)") }

    // MARK: containers

    /// Calls `body` for every key, with the scanner before its value, which `body` must read. Throws at a second use of
    /// a key.
    mutating func object(_ body: (inout JSONScanner, _ key: String) throws -> Void) throws {
        var keys: Set<String> = []
        try container(from: "{", to: "}") { scanner in
            let key = try scanner.string()
            guard keys.insert(key).inserted else { throw scanner.failure("the key \(quoted(key)) appears twice") }
            try scanner.expect(":")
            try body(&scanner, key)
        }
    }

    /// Calls `body` before every element, which it must read.
    mutating func array(_ body: (inout JSONScanner) throws -> Void) throws {
        try container(from: "[", to: "]", body)
    }

    private mutating func container(
        from opening: Unicode.Scalar, to closing: Unicode.Scalar, _ body: (inout JSONScanner) throws -> Void
    ) throws {
        try expect(opening)
        depth += 1
        guard depth <= deepest else { throw failure("nested deeper than \(deepest) levels") }
        defer { depth -= 1 }
        if try take(closing) { return }
        repeat { try body(&self) } while try take(",")
        try expect(closing)
    }

    /// Throws where anything but white space is left.
    mutating func finish() throws {
        skipSpace()
        guard position == bytes.count else { throw failure("expected the end, found \(found)") }
    }

    // MARK: values

    /// A whole number from 0 to `Int.max`, written without fraction or exponent.
    mutating func count() throws -> Int {
        skipSpace()
        let start = position
        var value = 0
        while let digit = peek(), digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
            guard !overflow, !carry else { throw failure("the number is too large") }
            value = sum
            position += 1
        }
        let digits = position - start
        guard digits > 0 else { throw failure("expected a whole number, found \(found)") }
        guard digits == 1 || bytes[start] != UInt8(ascii: "0") else { throw failure("a number starts with 0") }
        if let next = peek(), next == UInt8(ascii: ".") || next | 0x20 == UInt8(ascii: "e") {
            throw failure("expected a whole number, found a fraction or exponent")
        }
        return value
    }

    /// Reads any value and drops it.
    mutating func skipValue() throws {
        skipSpace()
        switch peek() {
        case UInt8(ascii: "{"): try object { scanner, _ in try scanner.skipValue() }
        case UInt8(ascii: "["): try array { scanner in try scanner.skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default: try skipNumber()
        }
    }

    /// Reads null, if that comes next.
    mutating func skipNull() throws -> Bool {
        skipSpace()
        guard peek() == UInt8(ascii: "n") else { return false }
        try literal("null")
        return true
    }

    private mutating func literal(_ word: StaticString) throws {
        let end = position + word.utf8CodeUnitCount
        let matches = word.withUTF8Buffer { end <= bytes.count && bytes[position..<end].elementsEqual($0) }
        guard matches else { throw failure("expected \(word), found \(found)") }
        position = end
    }

    private mutating func skipNumber() throws {
        if peek() == UInt8(ascii: "-") { position += 1 }
        let start = position
        try skipDigits()
        guard position - start == 1 || bytes[start] != UInt8(ascii: "0") else { throw failure("a number starts with 0") }
        if peek() == UInt8(ascii: ".") {
            position += 1
            try skipDigits()
        }
        if let next = peek(), next | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws {
        let start = position
        while let digit = peek(), digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") { position += 1 }
        guard position > start else { throw failure("expected a value, found \(found)") }
    }

    // MARK: strings

    mutating func string() throws -> String {
        try expect("\"")
        var text = ""
        while true {
            text += try plainRun()
            guard let byte = peek() else { throw failure("the text ends inside a string") }
            position += 1
            if byte == UInt8(ascii: "\"") { return text }
            text.unicodeScalars.append(try escape())
        }
    }

    /// The characters up to the next quote or backslash.
    private mutating func plainRun() throws -> String {
        let start = position
        while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw failure("a control character inside a string") }
            position += 1
        }
        guard let run = String(validating: bytes[start..<position], as: UTF8.self) else {
            throw failure("a string that is not UTF-8 ends here")
        }
        return run
    }

    private mutating func escape() throws -> Unicode.Scalar {
        guard let letter = peek() else { throw failure("the text ends inside a string") }
        position += 1
        switch Unicode.Scalar(letter) {
        case "\"": return "\""
        case "\\": return "\\"
        case "/": return "/"
        case "b": return "\u{8}"
        case "f": return "\u{c}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u": return try unicodeEscape()
        default: throw failure("an unknown escape in a string")
        }
    }

    private mutating func unicodeEscape() throws -> Unicode.Scalar {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, peek() == UInt8(ascii: "\\") else { throw failure("half a surrogate pair in a string") }
        position += 1
        guard peek() == UInt8(ascii: "u") else { throw failure("half a surrogate pair in a string") }
        position += 1
        let second = try fourHexDigits()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw failure("half a surrogate pair in a string") }
        return scalar
    }

    private mutating func fourHexDigits() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("expected four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    // MARK: bytes

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private mutating func take(_ scalar: Unicode.Scalar) throws -> Bool {
        skipSpace()
        guard let byte = peek(), UInt32(byte) == scalar.value else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ scalar: Unicode.Scalar) throws {
        guard try take(scalar) else { throw failure("expected \(quoted(String(scalar))), found \(found)") }
    }

    /// The next byte, for messages.
    private var found: String {
        guard let byte = peek() else { return "the end" }
        return byte < 0x80 ? quoted(String(Unicode.Scalar(byte))) : "byte \(byte)"
    }
}
