import Foundation
import Testing

/// The top of this package.
package let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A real model, where Scripts/fetch-model.sh puts it; a test that needs it fails without it.
package func fetchedModel(_ name: String, _ file: String) throws -> URL {
    let url = packageRoot.appendingPathComponent("models/\(name)/\(file)")
    try #require(FileManager.default.fileExists(atPath: url.path), "no model at \(url.path); 'Scripts/fetch-model.sh \(name)' puts it there")
    return url
}

/// A directory of its own, removed when the last reference goes.
package final class TemporaryDirectory: Sendable {
    package let url = FileManager.default.temporaryDirectory.appendingPathComponent("amend-tests-\(UUID().uuidString)")

    package init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    package var path: String { url.path }

    /// Writes a file; returns its path.
    package func write(_ bytes: some Sequence<UInt8>, to name: String = "file") throws -> String {
        let file = url.appendingPathComponent(name)
        try Data(bytes).write(to: file)
        return file.path
    }

    /// The names in a subdirectory, sorted; none where there is no such directory.
    package func entries(_ subdirectory: String = "") -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path + "/" + subdirectory)) ?? []).sorted()
    }
}

package func writeJSON(_ object: Any, to file: URL) throws {
    try JSONSerialization.data(withJSONObject: object, options: .sortedKeys).write(to: file)
}

package func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

/// A tensor as safetensors stores it, of the type that it calls so ("F32").
package struct SafetensorsTensor {
    package var type: String
    package var shape: [Int]
    package var bytes: [UInt8]

    package init(type: String, shape: [Int], bytes: [UInt8]) { (self.type, self.shape, self.bytes) = (type, shape, bytes) }
}

/// A safetensors file with these tensors, one after another.
package func safetensors(_ tensors: [(name: String, tensor: SafetensorsTensor)]) throws -> Data {
    var header: [String: Any] = [:], body = Data()
    for (name, tensor) in tensors {
        header[name] = ["dtype": tensor.type, "shape": tensor.shape, "data_offsets": [body.count, body.count + tensor.bytes.count]] as [String: Any]
        body.append(contentsOf: tensor.bytes)
    }
    var text = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
    text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
    return Data(littleEndian(UInt64(text.count))) + text + body
}
