import Foundation
import TensorCore
import TestSupport
import Testing
import WeightFiles

/// A safetensors file's bytes.
func safetensors(_ header: String, data: [UInt8] = []) -> [UInt8] {
    littleEndian(UInt64(header.utf8.count)) + Array(header.utf8) + data
}

/// The bytes of a GGUF file, part by part. The counts are those of what was added unless set.
struct GGUFBytes {
    var magic = Array("GGUF".utf8)
    var version: UInt32 = 3
    var tensorCount: UInt64?
    var metadataCount: UInt64?
    var metadata: [[UInt8]] = []
    var tensors: [[UInt8]] = []
    var alignment = 32
    var data: [UInt8] = []

    static func string(_ text: String) -> [UInt8] { littleEndian(UInt64(text.utf8.count)) + Array(text.utf8) }

    mutating func add(_ key: String, type: UInt32, _ value: [UInt8]) {
        metadata.append(Self.string(key) + littleEndian(type) + value)
    }

    /// `dimensions` in GGUF's order, innermost first.
    mutating func addTensor(_ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        tensors.append(
            Self.string(name) + littleEndian(UInt32(dimensions.count)) + dimensions.flatMap { littleEndian($0) }
                + littleEndian(type) + littleEndian(offset))
    }

    var bytes: [UInt8] {
        var bytes = magic + littleEndian(version)
        bytes += littleEndian(tensorCount ?? UInt64(tensors.count)) + littleEndian(metadataCount ?? UInt64(metadata.count))
        bytes += Array(metadata.joined()) + Array(tensors.joined())
        bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
        return bytes + data
    }
}

extension StoredTensor {
    func floats() throws -> [Float] {
        try [Float](unsafeUninitializedCapacity: max(1, elementCount)) { buffer, count in
            if let start = buffer.baseAddress { try decodeRows(0..<rows, into: start) }
            count = elementCount
        }
    }
}

/// Expects one line of `BadInput` that contains `fragment`.
func expectRefusal(_ fragment: String, _ body: () throws -> Void) {
    let error = #expect(throws: BadInput.self) { try body() }
    let text = error?.description ?? ""
    #expect(text.contains(fragment), "\(text)")
    #expect(!text.contains { $0.isNewline } && text.utf8.count < 1000, "\(text)")
}
