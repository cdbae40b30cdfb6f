import Foundation
import TensorCore
import TestSupport
import Testing
import WeightFiles

/// Damaged copies of valid files are read to the end or refused with `BadInput`; nothing else may happen.
@Suite struct MutationTests {
    private static let mutations = 2000

    @Test func safetensors() throws {
        let header = """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},\
            "b\\u00e9":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"c":{"dtype":"BOOL","shape":[],"data_offsets":[32,33]}}
            """
        let valid = WeightFilesTests.safetensors(header, data: [UInt8](repeating: 3, count: 33))
        try mutate(valid, seed: 1) { try SafetensorsFile(path: $0) }
    }

    @Test func gguf() throws {
        let valid = [UInt8](try Data(contentsOf: URL(fileURLWithPath: fixture("types.gguf"))))
        // Most damage goes where the structure is: metadata and descriptions end at byte 1216.
        try mutate(valid, structure: 1216, seed: 2) { try GGUFFile(path: $0) }
    }

    private func mutate<Source: WeightSource>(
        _ valid: [UInt8], structure: Int? = nil, seed: UInt64, open: (String) throws -> Source
    ) throws {
        let directory = try TemporaryDirectory()
        #expect(try readAll(open(directory.write(valid))))
        var generator = RandomBits(state: seed)
        var refused = 0
        for index in 0..<Self.mutations {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                damage(&bytes, within: structure ?? bytes.count, &generator)
            }
            do {
                _ = try readAll(open(directory.write(bytes)))
            } catch let error as BadInput {
                refused += 1
                #expect(!error.description.contains { $0.isNewline }, "mutation \(index): \(error)")
            }
        }
        #expect(refused > Self.mutations / 4 && refused < Self.mutations, "\(refused) of \(Self.mutations) refused")
    }

    /// Decodes everything that can be decoded. True when all of it was.
    private func readAll(_ source: some WeightSource) throws -> Bool {
        for name in source.tensorNames {
            let tensor = try source.require(name)
            if tensor.elementType.isDecodable {
                #expect(try tensor.floats().count == tensor.elementCount)
            } else {
                #expect(throws: BadInput.self) { try tensor.floats() }
            }
        }
        return true
    }

    private func damage(_ bytes: inout [UInt8], within limit: Int, _ generator: inout RandomBits) {
        let limit = min(limit, bytes.count)
        guard limit > 0 else { return }
        let position = Int.random(in: 0..<limit, using: &generator)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[position] = .random(in: 0...255, using: &generator)
        case 2: bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
        case 3: bytes.remove(at: position)
        case 4: bytes.insert(.random(in: 0...255, using: &generator), at: position)
        case 5:
            let extremes: [UInt64] = [0, 1, .max, 1 << 63, 1 << 62, 1 << 32, UInt64(bytes.count)]
            let value = littleEndian(extremes.randomElement(using: &generator) ?? 0)
            for (index, byte) in zip(position..<bytes.count, value) { bytes[index] = byte }
        default:
            let other = Int.random(in: 0..<limit, using: &generator)
            let count = min(Int.random(in: 1...16, using: &generator), bytes.count - max(position, other))
            let copied = Array(bytes[other..<other + count])
            bytes.replaceSubrange(position..<position + count, with: copied)
        }
    }
}
