import Documents

/// What is wrong with a record; `DatasetFile` adds which one it is.
struct RecordError: Error {
    let problem: String

    init(_ problem: String) { self.problem = problem }
}

/// The members of a JSON object, taken out by key with their type checked; no key comes twice (the parser sees to it). `null` is a value of
/// the wrong type where text is needed, and nothing where it may be absent; so is blank text.
struct RecordFields {
    private let object: JSONObject
    /// The keys that lead here, each followed by a dot.
    private let prefix: String

    init(_ object: JSONObject, prefix: String = "") {
        self.object = object
        self.prefix = prefix
    }

    func has(_ key: String) -> Bool { value(key) != nil }

    /// Whether there is a value other than null and blank text, which tables leave behind where a record has nothing.
    func isGiven(_ key: String) -> Bool {
        switch value(key) {
        case nil, .null: false
        case .string(let text): !isBlank(text)
        default: true
        }
    }

    func isText(_ key: String) -> Bool { if case .string = value(key) { true } else { false } }
    func isList(_ key: String) -> Bool { if case .array = value(key) { true } else { false } }
    func isObject(_ key: String) -> Bool { if case .object = value(key) { true } else { false } }

    var keys: [String] { object.keys }

    /// The key with those that lead to it, for messages.
    func path(_ key: String) -> String { prefix + key }

    func object(_ key: String) throws -> RecordFields {
        let found = try required(key)
        guard case .object(let object) = found else { throw wrongType(key, expected: "an object", found) }
        return RecordFields(object, prefix: "\(prefix)\(key).")
    }

    /// An object, as a list of one, or a list of objects.
    func objects(_ key: String) throws -> [RecordFields] {
        let found = try required(key)
        guard case .array(let elements) = found else { return [try object(key)] }
        return try elements.enumerated().map { index, element in
            guard case .object(let object) = element else { throw wrongType("\(key)[\(index)]", expected: "an object", element) }
            return RecordFields(object, prefix: "\(prefix)\(key)[\(index)].")
        }
    }

    /// Text that is not blank.
    func text(_ key: String) throws -> String {
        let found = try required(key)
        guard case .string(let text) = found else { throw wrongType(key, expected: "text", found) }
        return try notBlank(text, key)
    }

    /// Text that is not blank, without the white space around it.
    func answer(_ key: String) throws -> String { trimmed(try text(key)) }

    /// A list of answers; of one that is a list of spellings the first, nil if there is none. A lone text counts as a list of one.
    func answers(_ key: String) throws -> [String?] {
        guard case .array(let elements) = try required(key) else { return [try answer(key)] }
        return try elements.enumerated().map { index, element in
            if case .array(let spellings) = element { return try spellings.first.map { try answer($0, "\(key)[\(index)][0]") } }
            return try answer(element, "\(key)[\(index)]")
        }
    }

    private func answer(_ value: JSONValue, _ key: String) throws -> String {
        guard case .string(let text) = value else { throw wrongType(key, expected: "text", value) }
        return trimmed(try notBlank(text, key))
    }

    /// Text, empty text included, or nil if it is absent or null.
    func optionalText(_ key: String) throws -> String? {
        switch value(key) {
        case nil, .null: return nil
        case .string(let text): return text
        case .some(let found): throw wrongType(key, expected: "text", found)
        }
    }

    /// At least one text, none of them blank; a lone text counts as a list of one.
    func texts(_ key: String) throws -> [String] {
        if case .string = value(key) { return [try text(key)] }
        let texts = try listOfTexts(key)
        guard !texts.isEmpty else { throw RecordError("'\(prefix)\(key)' is empty; expected at least one text") }
        return texts
    }

    /// Texts, none of them blank; possibly none at all.
    func listOfTexts(_ key: String) throws -> [String] {
        let found = try required(key)
        guard case .array(let elements) = found else { throw wrongType(key, expected: "a list of text", found) }
        return try elements.enumerated().map { index, element in
            guard case .string(let text) = element else { throw wrongType("\(key)[\(index)]", expected: "text", element) }
            return try notBlank(text, "\(key)[\(index)]")
        }
    }

    /// A number's or text's characters, or nil if it is absent or null.
    func identifier(_ key: String) throws -> String? {
        switch value(key) {
        case nil, .null: return nil
        case .string(let text): return text
        case .digits(let digits): return digits
        case .some(let found): throw wrongType(key, expected: "a number or text", found)
        }
    }

    /// The error for a record without any of these keys; names the keys it has.
    func missing(_ wanted: String...) -> RecordError {
        let wanted = wanted.map { "'\(prefix)\($0)'" }.joined(separator: " or ")
        let keys = object.members.prefix(8).map { "'\(excerpt($0.key))'" }.joined(separator: ", ")
        let more = object.count > 8 ? ", …" : ""
        return RecordError("has no \(wanted); \(keys.isEmpty ? "it is empty" : "its keys are \(keys)\(more)")")
    }

    private func value(_ key: String) -> JSONValue? { object[key] }

    private func required(_ key: String) throws -> JSONValue {
        guard let found = value(key) else { throw missing(key) }
        return found
    }

    private func notBlank(_ text: String, _ key: String) throws -> String {
        guard !isBlank(text) else { throw RecordError("'\(prefix)\(key)' is blank; expected text") }
        return text
    }

    /// The error for a value that is there, but not of the type.
    func wrongType(_ key: String, expected: String) -> RecordError {
        value(key).map { wrongType(key, expected: expected, $0) } ?? missing(key)
    }

    private func wrongType(_ key: String, expected: String, _ found: JSONValue) -> RecordError {
        RecordError("'\(prefix)\(key)' should be \(expected), is \(found.described)")
    }
}
