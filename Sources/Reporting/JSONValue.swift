/// A JSON value whose objects keep the order of their keys.
public indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    /// NaN and the infinities, which JSON cannot say, are written as null.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// One line of JSON, without a line feed. Doubles are written with the fewest digits that read back as the same
    /// value.
    /// - Parameter sortedKeys: Objects in the order of their keys' Unicode scalars; else in the order given.
    public func text(sortedKeys: Bool = false) -> String {
        var text = ""
        write(to: &text, sortedKeys: sortedKeys)
        return text
    }

    fileprivate func write(to text: inout String, sortedKeys: Bool) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += "\(value)"
        case .number(let value): text += value.isFinite ? "\(value)" : "null"
        case .string(let value): writeQuoted(value, to: &text)
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += ", " }
                value.write(to: &text, sortedKeys: sortedKeys)
            }
            text += "]"
        case .object(let object): object.write(to: &text, sortedKeys: sortedKeys)
        }
    }
}

/// Keys with values, in the order in which they were first set. Written as a dictionary literal.
public struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    public private(set) var keys: [String] = []
    private var values: [String: JSONValue] = [:]

    public init() {}

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements {
            precondition(values[key] == nil, "key '\(key)' given twice")
            self[key] = value
        }
    }

    /// nil for a key that is not there; setting nil removes it.
    public subscript(key: String) -> JSONValue? {
        get { values[key] }
        set {
            if newValue == nil { keys.removeAll { $0 == key } } else if values[key] == nil { keys.append(key) }
            values[key] = newValue
        }
    }

    fileprivate func write(to text: inout String, sortedKeys: Bool) {
        let order =
            sortedKeys
            ? keys.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) } : keys
        text += "{"
        for (index, key) in order.enumerated() {
            if index > 0 { text += ", " }
            writeQuoted(key, to: &text)
            text += ": "
            (values[key] ?? .null).write(to: &text, sortedKeys: sortedKeys)
        }
        text += "}"
    }
}

private func writeQuoted(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "\u{0}"..<" ":
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }
    text += "\""
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements {
            precondition(object[key] == nil, "key '\(key)' given twice")
            object[key] = value
        }
        self = .object(object)
    }
}
