/// One section of the configuration: hands out its values by key, typed and checked.
///
/// Every accessor returns nil for a key that is not given (or given as `null` or `~`), so that `?? …` is the default.
/// A key with nothing after its colon is an error: a value was forgotten.
struct SectionReader {
    /// The full key path, such as `data.train`; empty for the whole configuration.
    let keyPath: String
    let location: Location
    private let file: Location
    private let keys: [String]
    private let values: [String: Setting]

    /// Refuses keys that are not among `keys`. `setting` may be nil, null or empty: a section without values.
    init(_ setting: Setting?, keyPath: String, keys: [String], in file: Location) throws {
        self.keyPath = keyPath
        self.keys = keys
        self.file = file
        location = keyPath.isEmpty ? file : setting?.location ?? file
        guard let setting, !setting.isNull, !setting.isEmpty else {
            values = [:]
            return
        }
        guard case .section(let entries) = setting.value else {
            throw setting.error(
                at: keyPath.isEmpty ? "configuration" : keyPath,
                expected: "a section with the keys \(keys.joined(separator: ", "))")
        }
        for entry in entries where !keys.contains(entry.key) {
            throw Self.unknownKey(entry, keyPath: keyPath, keys: keys)
        }
        values = Dictionary(entries.map { ($0.key, $0.value) }) { _, last in last }
    }

    func section(_ key: String, keys: [String]) throws -> SectionReader {
        try SectionReader(setting(key), keyPath: path(key), keys: keys, in: file)
    }

    /// Whether anything stands under this section's key.
    var isGiven: Bool { !values.isEmpty }

    // MARK: - Values

    /// Text as it was written, quoted or not: `no` is "no" and `1.0` is "1.0".
    func text(_ key: String, expected: String) throws -> String? {
        try setting(key).map { try text($0, path(key), expected: expected) }
    }

    /// At least one text, none empty, none twice.
    func texts(_ key: String, expected: String) throws -> [String]? {
        guard let setting = setting(key) else { return nil }
        guard case .list(let items) = setting.value, !items.isEmpty else {
            var found = setting.found
            if case .list = setting.value { found = "an empty list" }
            throw ConfigurationError(
                location: setting.location.text, keyPath: path(key),
                problem: "expected a list of at least one \(expected), such as [a, b], found \(found)")
        }
        var texts: [String] = []
        var seen = Set<String>()
        for (index, item) in items.enumerated() {
            let text = try text(item, "\(path(key))[\(index)]", expected: expected)
            guard seen.insert(text).inserted else {
                throw item.error(at: "\(path(key))[\(index)]", expected: "no \(expected) twice")
            }
            texts.append(text)
        }
        return texts
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String) throws -> Choice?
    where Choice.RawValue == String {
        guard let setting = setting(key) else { return nil }
        let words = Choice.allCases.map(\.rawValue)
        guard case .scalar(let word, _) = setting.value, let choice = Choice(rawValue: word) else {
            throw setting.error(
                at: path(key), expected: "one of \(words.joined(separator: ", "))", hint: suggestion(setting, words))
        }
        return choice
    }

    /// A whole number in `range`. Where the range ends at `Int.max`, 32 bits are still the limit unless `isWide`: no
    /// count of a real run comes near it, and products of three such counts are checked for overflow.
    func wholeNumber(_ key: String, in range: ClosedRange<Int>, isWide: Bool = false) throws -> Int? {
        guard let setting = setting(key) else { return nil }
        let limit = isWide ? range.upperBound : min(range.upperBound, Int(Int32.max))
        let expected =
            range.upperBound == .max ? "a whole number of at least \(range.lowerBound)"
            : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard case .scalar(let text, isQuoted: false) = setting.value else {
            throw setting.error(at: path(key), expected: expected)
        }
        switch NumberText.wholeNumber(text) {
        case .value(let value) where (range.lowerBound...limit).contains(value):
            return value
        case .value(let value) where value < range.lowerBound:
            throw setting.error(at: path(key), expected: expected)
        case .value, .tooLarge:
            let hint = range.upperBound == .max ? "; the largest that works is \(limit)" : ""
            throw setting.error(at: path(key), expected: expected, hint: hint)
        case .notANumber:
            throw setting.error(at: path(key), expected: expected, hint: NumberText.hint(for: text))
        }
    }

    /// A finite number that satisfies `condition`; `expected` says which in words ("a number of at least 0").
    func number(_ key: String, expected: String, where condition: (Double) -> Bool) throws -> Double? {
        guard let setting = setting(key) else { return nil }
        guard case .scalar(let text, isQuoted: false) = setting.value else {
            throw setting.error(at: path(key), expected: expected)
        }
        guard let value = NumberText.number(text) else {
            throw setting.error(at: path(key), expected: expected, hint: NumberText.hint(for: text))
        }
        guard value.isFinite, condition(value) else { throw setting.error(at: path(key), expected: expected) }
        return value == 0 ? 0 : value  // not −0, which would be equal, but not be written as equal
    }

    /// A word, or else a whole number of at least 1 and at most `limit`.
    func word(_ word: String, orCountUpTo limit: Int, _ key: String, of things: String) throws -> WordOrCount? {
        guard let setting = setting(key) else { return nil }
        let expected = "'\(word)' or a whole number of \(things) of at least 1"
        guard case .scalar(let text, let isQuoted) = setting.value else {
            throw setting.error(at: path(key), expected: expected)
        }
        if text == word { return .word }
        if !isQuoted, case .value(let count) = NumberText.wholeNumber(text), count >= 1 {
            if count <= limit { return .count(count) }
            throw setting.error(at: path(key), expected: expected, hint: "; the largest that works is \(limit)")
        }
        throw setting.error(at: path(key), expected: expected, hint: suggestion(setting, [word]))
    }

    enum WordOrCount { case word, count(Int) }

    // MARK: - Errors

    /// An error about a value that is wrong only in relation to another; placed at `key`, or at the section if that
    /// key was left at its default.
    func error(_ key: String, _ problem: String) -> ConfigurationError {
        ConfigurationError(
            location: (values[key]?.location ?? location).text, keyPath: path(key), problem: problem)
    }

    private func suggestion(_ setting: Setting, _ words: [String]) -> String {
        guard case .scalar(let word, _) = setting.value, let near = Spelling.nearest(to: word, among: words) else {
            return ""
        }
        return "; did you mean '\(near)'?"
    }

    private static func unknownKey(_ entry: Setting.Entry, keyPath: String, keys: [String]) -> ConfigurationError {
        let name = abbreviated(entry.key)
        let full = keyPath.isEmpty ? name : "\(keyPath).\(name)"
        var problem = "there is no such key"
        if let near = Spelling.nearest(to: entry.key, among: keys) {
            problem += "; did you mean '\(near)'?"
        } else if let elsewhere = Schema.keyPath(endingIn: entry.key) {
            problem += "; did you mean '\(elsewhere)'?"
        }
        problem += keyPath.isEmpty ? " The sections are " : " The keys of \(keyPath) are "
        problem += keys.joined(separator: ", ")
        return ConfigurationError(location: entry.location.text, keyPath: full, problem: problem)
    }

    // MARK: - Helpers

    private func path(_ key: String) -> String { keyPath.isEmpty ? key : "\(keyPath).\(key)" }

    private func setting(_ key: String) -> Setting? {
        precondition(keys.contains(key), "\(path(key)) is not among the keys of its section: \(keys)")
        guard let setting = values[key], !setting.isNull else { return nil }
        return setting
    }

    private func text(_ setting: Setting, _ keyPath: String, expected: String) throws -> String {
        guard case .scalar(let text, _) = setting.value, !text.isEmpty else {
            throw setting.error(at: keyPath, expected: "a \(expected)")
        }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw setting.error(at: keyPath, expected: "a \(expected) without control characters")
        }
        return text
    }
}
