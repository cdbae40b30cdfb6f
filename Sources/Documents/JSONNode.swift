import TensorCore

/// A place in a JSON file: reads values of an expected kind, or throws `BadInput` that names file and key.
public struct JSONNode {
    /// nil: nothing is there.
    public let value: JSONValue?
    public let file: String
    /// Such as `model.merges[3]`; empty for the whole file.
    public let path: String

    public init(value: JSONValue?, file: String, path: String = "") {
        (self.value, self.file, self.path) = (value, file, path)
    }

    /// The file's one value.
    public init(contentsOf file: String, atMost limit: Int, what: String) throws {
        let bytes = try InputFile.read(file, atMost: limit, what: what)
        self.init(value: try JSONValue(parsing: bytes, file: file), file: file)
    }

    public func fail(_ problem: String) -> BadInput {
        BadInput(path.isEmpty ? file : "\(file), \(oneLine(path, atMost: 400))", oneLine(problem, atMost: 400))
    }

    private func mismatch(_ expected: String) -> BadInput { fail("expected \(expected), found \(value?.kind ?? "nothing")") }

    // MARK: places in it

    private func child(_ value: JSONValue?, _ key: String) -> JSONNode {
        JSONNode(value: value, file: file, path: path.isEmpty ? key : "\(path).\(key)")
    }

    /// The member of that name, be it there or not.
    public subscript(key: String) -> JSONNode { child(value?[key], key) }

    /// The member of that name, or nil if there is none or it is null. Throws if this is not an object.
    public func optional(_ name: String) throws -> JSONNode? {
        let value = try object()[name]
        return value == nil || value == .null ? nil : child(value, name)
    }

    public func required(_ name: String) throws -> JSONNode {
        guard let node = try optional(name) else { throw fail("has no '\(name)'") }
        return node
    }

    public func element(_ value: JSONValue, at index: Int) -> JSONNode { JSONNode(value: value, file: file, path: "\(path)[\(index)]") }

    // MARK: values

    public func require() throws -> JSONValue {
        guard let value else { throw mismatch("a value") }
        return value
    }

    public func object() throws -> JSONObject {
        guard let object = value?.object else { throw mismatch("an object") }
        return object
    }

    public func members() throws -> [JSONObject.Member] { try object().members }

    /// The elements alone, for long arrays; `element` makes the node of one that is wrong.
    public func values() throws -> [JSONValue] {
        guard let values = value?.array else { throw mismatch("an array") }
        return values
    }

    public func elements() throws -> [JSONNode] { try values().enumerated().map { element($1, at: $0) } }

    public func string() throws -> String {
        guard let string = value?.string else { throw mismatch("a string") }
        return string
    }

    public func boolean() throws -> Bool {
        guard let flag = value?.bool else { throw mismatch("true or false") }
        return flag
    }

    public func boolean(_ name: String, default fallback: Bool) throws -> Bool { try optional(name)?.boolean() ?? fallback }

    public func integer() throws -> Int {
        guard let integer = value?.integer else { throw mismatch("an integer") }
        return integer
    }

    /// An integer ≥ 0.
    public func natural() throws -> Int {
        let integer = try integer()
        guard integer >= 0 else { throw fail("is \(integer), expected 0 or more") }
        return integer
    }
}
