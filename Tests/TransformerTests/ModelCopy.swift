import Foundation
import TensorCore
import TestSupport
import Transformer
import WeightFiles

/// A golden model to change: its configuration and tensors, which `write` puts into a temporary directory, removed with this object.
final class ModelCopy {
    typealias Tensor = SafetensorsTensor

    var configuration: [String: Any]
    var tensors: [String: Tensor] = [:]
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("model-\(UUID().uuidString)").path

    init(_ family: String) throws {
        let directory = try Golden(family).directory
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: directory + "/config.json")))
        configuration = json as? [String: Any] ?? [:]
        let file = try SafetensorsFile(path: directory + "/model.safetensors")
        for name in file.tensorNames {
            let tensor = try file.require(name)
            tensors[name] = Tensor(type: tensor.elementType.name, shape: tensor.shape, bytes: Array(tensor.file.bytes[tensor.byteRange]))
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Gives every tensor of two dimensions another type, element by element.
    func convertWeights<Bits: FixedWidthInteger>(to type: String, _ convert: (Float) -> Bits) {
        for (name, tensor) in tensors where tensor.shape.count == 2 {
            tensors[name]?.type = type
            tensors[name]?.bytes = tensor.floats.flatMap { littleEndian(convert($0)) }
        }
    }

    func write() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try writeJSON(configuration, to: URL(fileURLWithPath: path + "/config.json"))
        let stored = tensors.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }
        try safetensors(stored).write(to: URL(fileURLWithPath: path + "/model.safetensors"))
    }

    func loadModel(weights: WeightPrecision = .auto) throws -> LanguageModel {
        try write()
        return try ModelSource(path).loadModel(weights: weights)
    }
}

extension ModelCopy.Tensor {
    /// The elements of an F32 tensor.
    var floats: [Float] {
        bytes.withUnsafeBytes { bytes in (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) } }
    }
}

/// The nearest number that bfloat16 has, of two as near that whose last bit is zero.
func roundedToBrain(_ x: Float) -> Float {
    let below = Float(bitPattern: x.bitPattern & 0xffff_0000), beyond = Float(bitPattern: (x.bitPattern & 0xffff_0000) + 0x1_0000)
    let distances = (abs(Double(x) - Double(below)), abs(Double(beyond) - Double(x)))
    if distances.0 != distances.1 { return distances.0 < distances.1 ? below : beyond }
    return below.bitPattern & 0x1_0000 == 0 ? below : beyond
}
