/// A JSON value (RFC 8259). Objects keep the order of their members, integers are exact, and other numbers are doubles bit for bit.
///
/// Strings compare by canonical equivalence in Swift: whoever must tell two spellings of "é" apart compares `utf8`. Keys are told apart here.
public enum JSONValue: Sendable, Equatable {
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

    public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    /// Any number that a double can be near to; integers are rounded beyond 2⁵³.
    public var double: Double? {
        switch self {
        case .number(let value): value
        case .integer(let value): Double(value)
        case .digits(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
        default: nil
        }
    }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// The member of an object, or nil.
    public subscript(key: String) -> JSONValue? { object?[key] }

    /// What kind of value this is, for messages.
    public var kind: String {
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
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}
