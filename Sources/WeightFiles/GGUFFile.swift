import Documents
import TensorCore

/// A GGUF file (version 2 or 3, little-endian): metadata, then tensors in ggml's types. Opening reads the metadata and
/// the tensors' descriptions, not their data.
package struct GGUFFile: WeightSource {
    package let path: String
    package let metadata: [String: GGUFValue]
    private let table: TensorTable

    package var tensorNames: [String] { table.names }
    package func tensor(_ name: String) -> StoredTensor? { table[name] }

    /// Throws `BadInput` for a file that cannot be mapped, breaks the format, holds a tensor of a type that is not known
    /// here, or is one part of several.
    package init(path: String) throws {
        var reader = GGUFReader(file: try MappedFile.open(path))
        let contents = try reader.read()
        self.path = path
        self.metadata = contents.metadata
        self.table = contents.table
        if let parts = try integer("split.count"), parts > 1 {
            throw BadInput(path, "is one of the \(parts) parts of a split model; join them with 'llama-gguf-split --merge'")
        }
    }
}

// MARK: metadata by type

/// Each returns nil for a key that is absent, and throws `BadInput` for a value of another type.
extension GGUFFile {
    package func string(_ key: String) throws -> String? {
        try value(key, "a string") { if case .string(let string) = $0 { string } else { nil } }
    }

    package func integer(_ key: String) throws -> Int? {
        try value(key, "an integer up to \(Int.max)") { if case .integer(let integer) = $0 { integer } else { nil } }
    }

    /// An integer is taken too.
    package func float(_ key: String) throws -> Double? {
        try value(key, "a float") {
            switch $0 {
            case .float(let float): float
            case .integer(let integer): Double(integer)
            default: nil
            }
        }
    }

    package func bool(_ key: String) throws -> Bool? {
        try value(key, "a bool") { if case .bool(let bool) = $0 { bool } else { nil } }
    }

    package func bools(_ key: String) throws -> [Bool]? {
        try value(key, "an array of bools") { if case .bools(let bools) = $0 { bools } else { nil } }
    }

    package func strings(_ key: String) throws -> [String]? {
        try value(key, "an array of strings") { if case .strings(let strings) = $0 { strings } else { nil } }
    }

    package func integers(_ key: String) throws -> [Int]? {
        try value(key, "an array of integers") { if case .integers(let integers) = $0 { integers } else { nil } }
    }

    /// An array of integers is taken too.
    package func floats(_ key: String) throws -> [Double]? {
        try value(key, "an array of floats") {
            switch $0 {
            case .floats(let floats): floats
            case .integers(let integers): integers.map(Double.init)
            default: nil
            }
        }
    }

    /// The value of a key that must be there: `try file.required("llama.block_count", file.integer)`. Throws `BadInput`
    /// where it is not.
    package func required<Value>(_ key: String, _ read: (String) throws -> Value?) throws -> Value {
        guard let value = try read(key) else { throw BadInput(path, "the metadata lack \(quoted(key))") }
        return value
    }

    private func value<Value>(_ key: String, _ expected: String, _ convert: (GGUFValue) -> Value?) throws -> Value? {
        guard let value = metadata[key] else { return nil }
        guard let converted = convert(value) else {
            throw BadInput(path, "metadata \(quoted(key)) is \(value.kind); expected \(expected)")
        }
        return converted
    }
}
