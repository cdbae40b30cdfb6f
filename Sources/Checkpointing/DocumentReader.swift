import TensorCore

/// A place in a JSON document: reads values of an expected kind, or throws `BadInput` that says which key has what.
struct DocumentReader {
    /// nil: nothing is there.
    let value: DocumentValue?
    /// The file.
    let location: String
    /// The key, as in "tensors[3].shape".
    let path: String

    func error(_ problem: String) -> BadInput { BadInput(location, "\(path.isEmpty ? "the document" : path) \(problem)") }

    private func mismatch(_ expected: String) -> BadInput { error("is \(value?.kind ?? "missing"), expected \(expected)") }

    subscript(key: String) -> DocumentReader {
        DocumentReader(value: value?[key], location: location, path: path.isEmpty ? key : path + "." + key)
    }

    func require() throws -> DocumentValue {
        guard let value else { throw mismatch("a value") }
        return value
    }

    func integer() throws -> Int {
        guard let integer = value?.integer else { throw mismatch("an integer") }
        return integer
    }

    /// An integer ≥ 0.
    func natural() throws -> Int {
        let integer = try integer()
        guard integer >= 0 else { throw error("is \(integer), expected 0 or more") }
        return integer
    }

    func string() throws -> String {
        guard let string = value?.string else { throw mismatch("a string") }
        return string
    }

    func checksum() throws -> Checksum {
        guard let checksum = Checksum(hexadecimal: try string()) else { throw error("is not a SHA-256 in hexadecimal") }
        return checksum
    }

    func array() throws -> [DocumentReader] {
        guard let array = value?.array else { throw mismatch("an array") }
        return array.enumerated().map { DocumentReader(value: $1, location: location, path: "\(path)[\($0)]") }
    }
}
