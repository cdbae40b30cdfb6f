/// A JSON value (RFC 8259). Objects keep the order of their members, integers are exact, and other numbers are doubles bit for bit.
///
/// Strings compare by canonical equivalence in Swift: whoever must tell two spellings of "é" apart compares `utf8`. Keys are told apart here.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    /// Of a text: a number with a fraction or an exponent, or -0; always finite.
    case number(Double)
    /// A number as it was written: of a text one that fits neither of the above, or any where the parser was asked for spellings.
    case digits(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    package var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    /// Any number that a double can be near to; integers are rounded beyond 2⁵³.
    package var double: Double? {
        switch self {
        case .number(let value): value
        case .integer(let value): Double(value)
        case .digits(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
        default: nil
        }
    }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// The member of an object, or nil.
    package subscript(key: String) -> JSONValue? { object?[key] }

    /// What kind of value this is, for messages.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number, .digits: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}
