/// What a setting may hold: how it is read, checked and written.
package struct SettingKind<Value: Sendable>: Sendable {
    /// In words, after "expected".
    let expected: String
    let parse: @Sendable (Written, _ keyPath: String) throws -> Value
    let canonical: @Sendable (Value) -> CanonicalValue
}

extension SettingKind where Value == String {
    /// Text as it was written, quoted or not: `no` is "no" and `1.0` is "1.0".
    package static func text(_ what: String) -> SettingKind {
        SettingKind(expected: "a \(what)", parse: { try $0.text(at: $1, what: what) }, canonical: { .text($0) })
    }
}

extension SettingKind where Value == [String] {
    /// At least one text, none empty, none twice.
    package static func texts(_ what: String, such example: String) -> SettingKind {
        SettingKind(
            expected: "a list of \(what)s, such as \(example)",
            parse: { written, keyPath in
                guard case .list(let items) = written.value, !items.isEmpty else {
                    var found = written.found
                    if case .list = written.value { found = "an empty list" }
                    throw ConfigurationError(
                        location: written.location.text, keyPath: keyPath, problem: "expected a list of at least one \(what), such as [a, b], found \(found)")
                }
                var texts: [String] = []
                for (index, item) in items.enumerated() {
                    let text = try item.text(at: "\(keyPath)[\(index)]", what: what)
                    guard !texts.contains(text) else { throw item.error(at: "\(keyPath)[\(index)]", expected: "no \(what) twice") }
                    texts.append(text)
                }
                return texts
            }, canonical: { .list($0) })
    }
}

extension SettingKind where Value == Int {
    /// A whole number in `range`. Where the range ends at `Int.max`, 32 bits are still the limit unless `isWide`: no
    /// count of a real run comes near it, and products of three such counts are checked for overflow.
    package static func wholeNumber(_ range: ClosedRange<Int>, isWide: Bool = false) -> SettingKind {
        let limit = isWide ? range.upperBound : min(range.upperBound, Int(Int32.max))
        let expected = range.upperBound == .max ? "a whole number of at least \(range.lowerBound)" : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return SettingKind(
            expected: expected,
            parse: { written, keyPath in
                guard case .scalar(let text, isQuoted: false) = written.value else { throw written.error(at: keyPath, expected: expected) }
                switch NumberText.wholeNumber(text) {
                case .value(let value) where (range.lowerBound...limit).contains(value): return value
                case .value(let value) where value < range.lowerBound: throw written.error(at: keyPath, expected: expected)
                case .value, .tooLarge:
                    throw written.error(at: keyPath, expected: expected, hint: range.upperBound == .max ? "; the largest that works is \(limit)" : "")
                case .notANumber: throw written.error(at: keyPath, expected: expected, hint: NumberText.hint(for: text))
                }
            }, canonical: { .literal("\($0)") })
    }

    /// At least 1.
    package static var count: SettingKind { wholeNumber(1...(.max)) }
}

extension SettingKind where Value == Double {
    /// A positive number that is neither zero nor infinite in single precision, in which the arithmetic is done.
    package static var positive: SettingKind { number("a positive number (from 1.2e-38 to 3.4e+38)") { $0 > 0 && Float($0).isNormal } }

    package static var notNegative: SettingKind { number("a number of at least 0 (and at most 3.4e+38)") { $0 >= 0 && Float($0).isFinite } }

    /// From 0 to 1.
    package static var share: SettingKind { number("a number from 0 to 1") { (0...1).contains($0) } }

    /// From 0 to less than 1.
    package static var properShare: SettingKind { number("a number of at least 0 and less than 1") { (0..<1).contains($0) && Float($0) < 1 } }

    /// A finite number that satisfies `condition`; `expected` says which in words.
    private static func number(_ expected: String, where condition: @escaping @Sendable (Double) -> Bool) -> SettingKind {
        SettingKind(
            expected: expected,
            parse: { written, keyPath in
                guard case .scalar(let text, isQuoted: false) = written.value else { throw written.error(at: keyPath, expected: expected) }
                guard let value = NumberText.number(text) else { throw written.error(at: keyPath, expected: expected, hint: NumberText.hint(for: text)) }
                guard value.isFinite, condition(value) else { throw written.error(at: keyPath, expected: expected) }
                return value == 0 ? 0 : value  // not −0, which would be equal, but not be written as equal
            }, canonical: { .literal("\($0)") })
    }
}

extension SettingKind where Value == Int? {
    /// A word, which is nil, or else a whole number of at least 1 and at most `limit`.
    package static func word(_ word: String, orCountUpTo limit: Int, of things: String) -> SettingKind {
        let expected = "'\(word)' or a whole number of \(things) of at least 1"
        return SettingKind(
            expected: expected,
            parse: { written, keyPath in
                guard case .scalar(let text, let isQuoted) = written.value else { throw written.error(at: keyPath, expected: expected) }
                if text == word { return nil }
                if !isQuoted, case .value(let count) = NumberText.wholeNumber(text), count >= 1 {
                    if count <= limit { return count }
                    throw written.error(at: keyPath, expected: expected, hint: "; the largest that works is \(limit)")
                }
                throw written.error(at: keyPath, expected: expected, hint: written.suggestion(among: [word]))
            }, canonical: { .literal($0.map { "\($0)" } ?? word) })
    }
}

extension SettingKind {
    /// One of some things that have names; `whole` says what has just the one.
    package static func one(of things: [Value], whole: String = "", named name: @escaping @Sendable (Value) -> String) -> SettingKind {
        let words = things.map(name), expected = words.count == 1 ? "\(words[0]), the only one of \(whole)" : "one of \(words.joined(separator: ", "))"
        return SettingKind(
            expected: expected,
            parse: { written, keyPath in
                guard case .scalar(let word, _) = written.value, let thing = things.first(where: { name($0) == word }) else {
                    throw written.error(at: keyPath, expected: expected, hint: written.suggestion(among: words))
                }
                return thing
            }, canonical: { .literal(name($0)) })
    }
}

extension SettingKind where Value: CaseIterable & RawRepresentable<String> {
    package static var choice: SettingKind { one(of: Array(Value.allCases)) { $0.rawValue } }
}

extension Written {
    fileprivate func text(at keyPath: String, what: String) throws -> String {
        guard case .scalar(let text, _) = value, !text.isEmpty else { throw error(at: keyPath, expected: "a \(what)") }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw error(at: keyPath, expected: "a \(what) without control characters")
        }
        return text
    }

    fileprivate func suggestion(among words: [String]) -> String {
        guard case .scalar(let word, _) = value, let near = Spelling.nearest(to: word, among: words) else { return "" }
        return "; did you mean '\(near)'?"
    }
}
