/// Numbers as people write them in YAML, without YAML's surprises: decimal only, `1e-5` is a number, `1_000` is a
/// thousand, and `017`, `0x11`, `0o21`, `1:30`, `.inf` and `.nan` are not numbers at all.
enum NumberText {
    enum WholeNumber: Equatable {
        case value(Int)
        /// A whole number, but more than 63 bits and a sign hold.
        case tooLarge
        case notANumber
    }

    static func wholeNumber(_ text: String) -> WholeNumber {
        var rest = Substring(text)
        let sign = takeSign(&rest)
        guard let digits = takeDigits(&rest), rest.isEmpty, !hasLeadingZero(digits) else { return .notANumber }
        return Int(sign + digits).map(WholeNumber.value) ?? .tooLarge
    }

    /// Nil for what is no decimal number. Infinite where the number is beyond the range of Double.
    static func number(_ text: String) -> Double? {
        var rest = Substring(text)
        let sign = takeSign(&rest)
        let whole = takeDigits(&rest)
        var fraction: String?
        if rest.first == "." {
            rest.removeFirst()
            fraction = takeDigits(&rest)
        }
        guard whole != nil || fraction != nil, !hasLeadingZero(whole ?? "0") else { return nil }
        guard let exponent = takeExponent(&rest), rest.isEmpty else { return nil }
        return Double("\(sign)\(whole ?? "0").\(fraction ?? "0")e\(exponent)")
    }

    /// What to add to an error message about a number in another base.
    static func hint(for text: String) -> String {
        let digits = text.drop { $0 == "+" || $0 == "-" }
        guard digits.first == "0", let second = digits.dropFirst().first else { return "" }
        guard isDigit(second) || "xXoObB".contains(second) else { return "" }
        return "; write it in decimal, without leading zeros"
    }

    private static func takeSign(_ text: inout Substring) -> String {
        guard let first = text.first, first == "-" || first == "+" else { return "" }
        text.removeFirst()
        return first == "-" ? "-" : ""
    }

    /// One or more digits, with single underscores between them; nil, and nothing taken, if there are none.
    private static func takeDigits(_ text: inout Substring) -> String? {
        var digits = ""
        var rest = text
        while let first = rest.first {
            if first == "_", !digits.isEmpty, isDigit(rest.dropFirst().first) { rest.removeFirst() }
            guard let digit = rest.first, isDigit(digit) else { break }
            digits.append(digit)
            rest.removeFirst()
        }
        guard !digits.isEmpty else { return nil }
        text = rest
        return digits
    }

    /// "0" if there is none; nil if an `e` is not followed by a whole number.
    private static func takeExponent(_ text: inout Substring) -> String? {
        guard text.first == "e" || text.first == "E" else { return "0" }
        text.removeFirst()
        let sign = takeSign(&text)
        return takeDigits(&text).map { sign + $0 }
    }

    private static func isDigit(_ character: Character?) -> Bool {
        character?.asciiValue.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
    }

    private static func hasLeadingZero(_ digits: String) -> Bool {
        digits.count > 1 && digits.first == "0"
    }
}
