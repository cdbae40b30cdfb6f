import TensorCore

extension DocumentValue {
    /// Parses one JSON value that fills `text`. Strict JSON: no duplicate keys, no trailing text. Memory is bounded by
    /// the limits: at most 64 levels and 4 million values. Throws `BadInput` with the byte offset.
    public init(parsing text: [UInt8], location: String) throws {
        var parser = DocumentParser(text: text, location: location)
        self = try parser.document()
    }
}

private struct DocumentParser {
    static let maximumDepth = 64
    static let maximumValues = 4_000_000

    let text: [UInt8]
    let location: String
    var position = 0
    var values = 0

    init(text: [UInt8], location: String) {
        self.text = text
        self.location = location
    }

    func error(_ problem: String) -> BadInput { BadInput(location, "not valid JSON at byte \(position): \(problem)") }

    /// The next byte, or 0 at the end (0 is not valid in JSON).
    var next: UInt8 { position < text.count ? text[position] : 0 }

    mutating func document() throws -> DocumentValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == text.count else { throw error("something follows the value") }
        return value
    }

    mutating func skipSpace() {
        while [0x20, 0x0A, 0x0D, 0x09].contains(next) { position += 1 }
    }

    mutating func take(_ character: Unicode.Scalar) throws {
        skipSpace()
        guard next == UInt8(ascii: character) else { throw error("expected '\(character)'") }
        position += 1
    }

    mutating func takeIf(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func value(depth: Int) throws -> DocumentValue {
        values += 1
        guard depth < Self.maximumDepth, values <= Self.maximumValues else { throw error("too deep or too large") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    mutating func word(_ word: String, _ value: DocumentValue) throws -> DocumentValue {
        guard text[position...].starts(with: word.utf8) else { throw error("expected a value") }
        position += word.utf8.count
        return value
    }

    mutating func object(depth: Int) throws -> [String: DocumentValue] {
        try take("{")
        var members: [String: DocumentValue] = [:]
        if takeIf("}") { return members }
        repeat {
            skipSpace()
            let key = try string()
            try take(":")
            let member = try value(depth: depth + 1)
            guard members.updateValue(member, forKey: key) == nil else { throw error("the key '\(key)' is there twice") }
        } while takeIf(",")
        try take("}")
        return members
    }

    mutating func array(depth: Int) throws -> [DocumentValue] {
        try take("[")
        var elements: [DocumentValue] = []
        if takeIf("]") { return elements }
        repeat { elements.append(try value(depth: depth + 1)) } while takeIf(",")
        try take("]")
        return elements
    }

    mutating func number() throws -> DocumentValue {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        let leading = next
        let whole = digits()
        guard whole > 0, leading != UInt8(ascii: "0") || whole == 1 else { throw error("expected a value") }
        var isInteger = true
        if next == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard digits() > 0 else { throw error("expected a digit") }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { throw error("expected a digit") }
        }
        let number = String(decoding: text[start..<position], as: UTF8.self)
        if number == "-0" { return .double(-0.0) }
        if isInteger {
            guard let value = Int(number) else { throw error("the integer does not fit in 64 bits") }
            return .integer(value)
        }
        guard let value = Double(number), value.isFinite else { throw error("the number is out of range") }
        return .double(value)
    }

    mutating func digits() -> Int {
        let start = position
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) { position += 1 }
        return position - start
    }

    mutating func string() throws -> String {
        guard next == UInt8(ascii: "\"") else { throw error("expected a string") }
        position += 1
        var bytes: [UInt8] = []
        while true {
            guard position < text.count, next >= 0x20 else { throw error("the string does not end") }
            let byte = next
            position += 1
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") { try bytes.append(contentsOf: escape()) } else { bytes.append(byte) }
        }
        guard let string = String(validating: bytes, as: UTF8.self) else { throw error("the string is not UTF-8") }
        return string
    }

    /// What follows a backslash, as UTF-8.
    mutating func escape() throws -> [UInt8] {
        let byte = next
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "u"):
            var code = try hexadecimal4()
            if (0xD800..<0xDC00).contains(code), next == UInt8(ascii: "\\") {
                position += 1
                guard next == UInt8(ascii: "u") else { throw error("half of a surrogate pair") }
                position += 1
                let low = try hexadecimal4()
                guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair") }
            return Array(String(Character(scalar)).utf8)
        default: throw error("unknown escape")
        }
    }

    mutating func hexadecimal4() throws -> UInt32 {
        guard position + 4 <= text.count else { throw error("the string does not end") }
        let digits = text[position..<position + 4]
        guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw error("expected four hexadecimal digits") }
        position += 4
        return code
    }
}
