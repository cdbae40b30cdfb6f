// Numbers
extension JSONParser {
    struct ScannedNumber {
        let range: Range<Int>
        /// Without fraction and exponent.
        let isWhole: Bool
        /// nil if it is not whole, does not fit, or is -0.
        let integer: Int?
    }

    mutating func number() throws -> JSONValue {
        let number = try scanNumber()
        if !options.keepsSpelling, let integer = number.integer { return .integer(integer) }
        let text = String(decoding: bytes[number.range], as: UTF8.self)
        if options.keepsSpelling { return .digits(text) }
        if !number.isWhole || text == "-0", let value = Double(text), value.isFinite { return .number(value) }
        guard !options.refusesLargeNumbers else {
            throw JSONError(offset: number.range.lowerBound, problem: "the number \(quoted(text)) does not fit in 64 bits")
        }
        return .digits(text)
    }

    mutating func scanNumber() throws -> ScannedNumber {
        let start = position
        let isNegative = peek == UInt8(ascii: "-")
        if isNegative { position += 1 }
        let first = position
        var value = 0, fits = true
        while let digit = digit {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(isNegative ? -digit : digit)
            (value, fits) = (sum, fits && !overflow && !carry)
            position += 1
        }
        guard position > first else { throw unexpected(isNegative ? "a digit" : "a value") }
        guard position == first + 1 || bytes[first] != UInt8(ascii: "0") else {
            throw JSONError(offset: first, problem: "a number starts with 0; expected no digit after it")
        }
        let end = position
        if peek == UInt8(ascii: ".") {
            position += 1
            try skipDigits()
        }
        if let next = peek, next | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = peek, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try skipDigits()
        }
        let isWhole = position == end
        return ScannedNumber(range: start..<position, isWhole: isWhole, integer: isWhole && fits && !(isNegative && value == 0) ? value : nil)
    }

    private var digit: Int? {
        guard let byte = peek, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
        return Int(byte - UInt8(ascii: "0"))
    }

    private mutating func skipDigits() throws {
        guard digit != nil else { throw unexpected("a digit") }
        while digit != nil { position += 1 }
    }
}

// Strings
extension JSONParser {
    /// The string that comes next; `expected` is what is said if none does.
    package mutating func string(_ expected: String = "a string in quotes") throws -> String {
        guard take("\"") else { throw unexpected(expected) }
        let start = position
        try skipPlainRun()
        if bytes[position] == UInt8(ascii: "\"") {
            position += 1
            return try text(UnsafeRawBufferPointer(rebasing: bytes[start..<position - 1]), from: start)
        }
        var unescaped = Array(bytes[start..<position])
        while bytes[position] != UInt8(ascii: "\"") {
            position += 1
            try escape(into: &unescaped)
            let run = position
            try skipPlainRun()
            unescaped += bytes[run..<position]
        }
        position += 1
        return try unescaped.withUnsafeBytes { try text($0, from: start) }
    }

    private func text(_ utf8: UnsafeRawBufferPointer, from start: Int) throws -> String {
        guard let text = String(validating: utf8.assumingMemoryBound(to: UInt8.self), as: UTF8.self) else {
            throw JSONError(offset: start, problem: "the string that begins here is not UTF-8")
        }
        return text
    }

    /// To the next quote or backslash.
    private mutating func skipPlainRun() throws {
        var place = position
        while place < limit {
            let byte = bytes[place]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            guard byte >= 0x20 else {
                throw JSONError(offset: place, problem: "has a line break or control character inside a string; expected an escape like \\n")
            }
            place += 1
        }
        position = place
        guard place < limit else { throw unexpected("the closing quote of a string") }
    }

    /// What follows a backslash.
    private mutating func escape(into text: inout [UInt8]) throws {
        guard let letter = peek else { throw unexpected("an escape") }
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            position += 1
            text += String(Character(try escapedScalar())).utf8
            return
        default: throw unexpected("an escape: one of \" \\ / b f n r t u")
        }
        position += 1
    }

    /// The scalar whose four hexadecimal digits, or whose pair of surrogates, begin at the position.
    private mutating func escapedScalar() throws -> Unicode.Scalar {
        let start = position
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        if first < 0xDC00, position + 2 <= limit, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u") {
            position += 2
            let second = try hexadecimal()
            if 0xDC00..<0xE000 ~= second, let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)) { return scalar }
        }
        throw JSONError(offset: start, problem: "half of a surrogate pair; expected \\u escapes in pairs")
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw unexpected("four hexadecimal digits") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
