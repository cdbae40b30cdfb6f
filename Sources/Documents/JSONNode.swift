import TensorCore

/// A place in a JSON file: reads values of an expected kind, or throws `BadInput` that names file and key.
package struct JSONNode {
    /// nil: nothing is there.
    package let value: JSONValue?
    package let file: String
    /// Such as `model.merges[3]`; empty for the whole file.
    package let path: String

    package init(value: JSONValue?, file: String, path: String = "") {
        (self.value, self.file, self.path) = (value, file, path)
    }

    /// The file's one value.
    package init(contentsOf file: String, atMost limit: Int, what: String) throws {
        let bytes = try InputFile.read(file, atMost: limit, what: what)
        self.init(value: try JSONValue(parsing: bytes, file: file), file: file)
    }

    package func fail(_ problem: String) -> BadInput {
        BadInput(path.isEmpty ? file : "\(file), \(oneLine(path, atMost: 400))", oneLine(problem, atMost: 400))
    }

    private func mismatch(_ expected: String) -> BadInput { fail("expected \(expected), found \(value?.kind ?? "nothing")") }

    // MARK: places in it

    private func child(_ value: JSONValue?, _ key: String) -> JSONNode {
        JSONNode(value: value, file: file, path: path.isEmpty ? key : "\(path).\(key)")
    }

    /// The member of that name, be it there or not.
    package subscript(key: String) -> JSONNode { child(value?[key], key) }

    /// The member of that name, or nil if there is none or it is null. Throws if this is not an object.
    package func optional(_ name: String) throws -> JSONNode? {
        let value = try object()[name]
        return value == nil || value == .null ? nil : child(value, name)
    }

    package func required(_ name: String) throws -> JSONNode {
        guard let node = try optional(name) else { throw fail("has no '\(name)'") }
        return node
    }

    package func element(_ value: JSONValue, at index: Int) -> JSONNode { JSONNode(value: value, file: file, path: "\(path)[\(index)]") }

    // MARK: values

    package func require() throws -> JSONValue {
        guard let value else { throw mismatch("a value") }
        return value
    }

    package func object() throws -> JSONObject {
        guard let object = value?.object else { throw mismatch("an object") }
        return object
    }

    package func members() throws -> [JSONObject.Member] { try object().members }

    /// The elements alone, for long arrays; `element` makes the node of one that is wrong.
    package func values() throws -> [JSONValue] {
        guard let values = value?.array else { throw mismatch("an array") }
        return values
    }

    package func elements() throws -> [JSONNode] { try values().enumerated().map { element($1, at: $0) } }

    package func string() throws -> String {
        guard let string = value?.string else { throw mismatch("a string") }
        return string
    }

    package func boolean() throws -> Bool {
        guard let flag = value?.bool else { throw mismatch("true or false") }
        return flag
    }

    package func boolean(_ name: String, default fallback: Bool) throws -> Bool { try optional(name)?.boolean() ?? fallback }

    package func integer() throws -> Int {
        guard let integer = value?.integer else { throw mismatch("an integer") }
        return integer
    }

    /// An integer ≥ 0.
    package func natural() throws -> Int {
        let integer = try integer()
        guard integer >= 0 else { throw fail("is \(integer), expected 0 or more") }
        return integer
    }
}
