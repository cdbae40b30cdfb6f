import Foundation
import TensorCore

/// A JSON value whose numbers survive: integers are exact 64-bit, and doubles come back bit for bit (a number with a
/// fraction or exponent, or "-0", is a double). There is no way to write NaN or infinity: `text` throws on them.
public enum DocumentValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    case double(Double)
    case string(String)
    case array([DocumentValue])
    case object([String: DocumentValue])

    public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    /// Any number; integers are converted (rounded beyond 2⁵³).
    public var double: Double? {
        switch self {
        case .double(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var array: [DocumentValue]? { if case .array(let value) = self { value } else { nil } }
    public var object: [String: DocumentValue]? { if case .object(let value) = self { value } else { nil } }

    /// The member of an object, or nil.
    public subscript(key: String) -> DocumentValue? { object?[key] }

    /// For messages: what kind of value this is.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .double: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension DocumentValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: DocumentValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, DocumentValue)...) {
        self = .object(Dictionary(uniqueKeysWithValues: elements))
    }
}

extension DocumentValue {
    /// From any `Encodable`; doubles keep their bits. Throws for NaN, infinity and integers beyond 64 bits signed.
    public init(encoding value: some Encodable) throws {
        let text = try JSONEncoder().encode(value)
        self = try DocumentValue(parsing: [UInt8](text), location: "document")
    }

    /// As a `Decodable`; throws `BadInput` at `location` if it does not fit.
    public func decode<T: Decodable>(_ type: T.Type, location: String) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(try text().utf8))
        } catch let error as DecodingError {
            throw BadInput(location, "the document does not hold a \(T.self): \(error)")
        }
    }
}
