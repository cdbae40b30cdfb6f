import Documents
import TensorCore

/// Named tensors from one file or several.
package protocol WeightSource: Sendable {
    /// The file, or the directory of several.
    var path: String { get }
    /// In the order in which the data lie in the file; for several files, sorted.
    var tensorNames: [String] { get }
    /// nil where there is none of that name.
    func tensor(_ name: String) -> StoredTensor?
}

extension WeightSource {
    /// The tensor of that name. Throws `BadInput` where it is missing, or has another shape than the one given.
    package func require(_ name: String, shape: [Int]? = nil) throws -> StoredTensor {
        guard let tensor = tensor(name) else {
            throw BadInput(path, "tensor \(quoted(name)) is missing (\(tensorNames.count) tensors found)")
        }
        if let shape, shape != tensor.shape {
            throw BadInput(tensor.file.path, "tensor \(quoted(name)) is \(tensor.shape); expected \(shape)")
        }
        return tensor
    }
}

/// Tensors by name and in order. Adding a second one of the same name throws.
struct TensorTable: Sendable {
    private(set) var names: [String] = []
    private var byName: [String: StoredTensor] = [:]

    mutating func add(_ tensor: StoredTensor) throws {
        guard byName.updateValue(tensor, forKey: tensor.name) == nil else {
            throw BadInput(tensor.file.path, "tensor \(quoted(tensor.name)) appears twice")
        }
        names.append(tensor.name)
    }

    subscript(name: String) -> StoredTensor? { byName[name] }

    /// Puts the names into the order of the data, and returns the tensors so.
    mutating func sortByPosition() -> [StoredTensor] {
        let sorted = byName.values.sorted {
            let (one, other) = ($0.byteRange, $1.byteRange)
            return (one.lowerBound, one.upperBound, $0.name) < (other.lowerBound, other.upperBound, $1.name)
        }
        names = sorted.map(\.name)
        return sorted
    }
}
