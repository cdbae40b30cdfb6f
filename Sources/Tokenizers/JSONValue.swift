import Foundation
import TensorCore

/// A JSON value that keeps the members of an object in order, repeated or canonically equivalent names included.
/// (Foundation's readers give a `Dictionary<String, _>`, in which two such vocabulary entries would become one.)
enum JSONValue: Sendable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(ExactString)
    case array([JSONValue])
    case object([JSONMember])

    /// Of this value and all in it.
    var objectCount: Int {
        switch self {
        case .null, .boolean, .number, .string: 0
        case .array(let values): values.reduce(0) { $0 + $1.objectCount }
        case .object(let members): members.reduce(1) { $0 + $1.value.objectCount }
        }
    }

    /// As an error message names it.
    var kind: String {
        switch self {
        case .null: "null"
        case .boolean: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

struct JSONMember: Sendable {
    let name: ExactString
    let value: JSONValue
}

/// A JSON value and where it stands, so that whatever is wrong with it can be reported with file and key.
struct JSONNode {
    let value: JSONValue
    let file: String
    /// Such as `model.merges[3]`; empty for the whole file.
    let path: String

    func fail(_ problem: String) -> BadInput {
        BadInput(path.isEmpty ? file : "\(file), \(path.onOneLine)", problem.onOneLine)
    }

    private func mismatch(_ expected: String) -> BadInput {
        fail("expected \(expected), found \(value.kind)")
    }

    /// The member of that name, or nil if there is none or it is null. Throws if this is not an object, or has two of that name.
    func optional(_ name: String) throws -> JSONNode? {
        let exact = ExactString(name)
        let found = try members().lazy.filter { $0.name == exact }.prefix(2).map(\.self)
        guard let member = found.first else { return nil }
        guard found.count == 1 else { throw fail("has '\(name)' twice") }
        if case .null = member.value { return nil }
        return JSONNode(value: member.value, file: file, path: path.isEmpty ? name : "\(path).\(name)")
    }

    func required(_ name: String) throws -> JSONNode {
        guard let node = try optional(name) else { throw fail("has no '\(name)'") }
        return node
    }

    func members() throws -> [JSONMember] {
        guard case .object(let members) = value else { throw mismatch("an object") }
        return members
    }

    func elements() throws -> [JSONNode] {
        try values().enumerated().map { element($1, at: $0) }
    }

    /// The elements alone, for long arrays; `element` makes the node of one that is wrong.
    func values() throws -> [JSONValue] {
        guard case .array(let values) = value else { throw mismatch("an array") }
        return values
    }

    func element(_ value: JSONValue, at index: Int) -> JSONNode {
        JSONNode(value: value, file: file, path: "\(path)[\(index)]")
    }

    func exactString() throws -> ExactString {
        guard case .string(let string) = value else { throw mismatch("a string") }
        return string
    }

    /// The text of a token.
    func tokenText() throws -> ExactString {
        let text = try exactString()
        if let problem = TokenTable.problem(with: text) { throw fail(problem) }
        return text
    }

    func string() throws -> String {
        try exactString().string
    }

    func boolean() throws -> Bool {
        guard case .boolean(let flag) = value else { throw mismatch("true or false") }
        return flag
    }

    func boolean(_ name: String, default fallback: Bool) throws -> Bool {
        try optional(name)?.boolean() ?? fallback
    }

    /// A whole number from 0 to 2³¹ − 1.
    func index() throws -> Int32 {
        guard case .number(let number) = value, let whole = Int32(exactly: number), whole >= 0 else {
            throw fail("expected a whole number from 0 to \(Int32.max), found \(description)")
        }
        return whole
    }

    /// A single scalar.
    func scalar() throws -> Unicode.Scalar {
        let scalars = try exactString().scalars
        guard let first = scalars.first, scalars.count == 1 else { throw fail("expected one character, found '\(scalars)'") }
        return first
    }

    private var description: String {
        if case .number(let number) = value { "\(number)" } else { value.kind }
    }
}
