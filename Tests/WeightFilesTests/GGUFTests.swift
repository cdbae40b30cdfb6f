import Foundation
import TensorCore
import TestSupport
import Testing
import WeightFiles

@Suite struct GGUFTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ contents: GGUFBytes) throws -> GGUFFile {
        try GGUFFile(path: directory.write(contents.bytes))
    }

    /// One F32 tensor [2, 3] (outermost first).
    static var valid: GGUFBytes {
        var file = GGUFBytes()
        file.addTensor("a", [3, 2])
        file.data = (1...6).flatMap { littleEndian(Float($0).bitPattern) }
        return file
    }

    @Test(arguments: [2, 3] as [UInt32]) func readsBothVersions(version: UInt32) throws {
        var contents = Self.valid
        contents.version = version
        let tensor = try open(contents).require("a", shape: [2, 3])
        #expect(try tensor.floats() == [1, 2, 3, 4, 5, 6])
        #expect(tensor.mappedFloats?[4] == 5)
    }

    @Test func readsNestedArraysAndLargeIntegers() throws {
        var contents = Self.valid
        let inner = littleEndian(UInt32(0)) + littleEndian(UInt64(2)) + [7, 8]
        contents.add("nested", type: 9, littleEndian(UInt32(9)) + littleEndian(UInt64(2)) + inner + inner)
        contents.add("large", type: 9, littleEndian(UInt32(10)) + littleEndian(UInt64(2)) + littleEndian(UInt64.max) + littleEndian(UInt64(1)))
        contents.add("small", type: 10, littleEndian(UInt64(5)))
        let file = try open(contents)
        #expect(file.metadata["nested"] == .array([.integers([7, 8]), .integers([7, 8])]))
        #expect(file.metadata["large"] == .array([.unsigned(.max), .integer(1)]))
        #expect(try file.integer("small") == 5)
    }

    struct Refusal: CustomTestStringConvertible {
        let fragment: String
        let change: @Sendable (inout GGUFBytes) -> Void
        var testDescription: String { fragment }
        init(_ fragment: String, _ change: @escaping @Sendable (inout GGUFBytes) -> Void) {
            self.fragment = fragment
            self.change = change
        }
    }

    /// An array nested `depth` deep.
    static func nested(_ depth: Int) -> [UInt8] {
        (0..<depth).flatMap { _ in littleEndian(UInt32(9)) + littleEndian(UInt64(1)) } + littleEndian(UInt32(0)) + littleEndian(UInt64(0))
    }

    static let refusals: [Refusal] = [
        Refusal("not a GGUF file") { $0.magic = Array("GGML".utf8) },
        Refusal("big-endian") { $0.version = UInt32(3).byteSwapped },
        Refusal("GGUF version 1; expected 2 or 3") { $0.version = 1 },
        Refusal("GGUF version 4; expected 2 or 3") { $0.version = 4 },
        Refusal("claims 18446744073709551615 tensors") { $0.tensorCount = .max },
        Refusal("claims 1152921504606846976 metadata entries") { $0.metadataCount = 1 << 60 },
        Refusal("reaches beyond the file's") { $0.metadataCount = 2 },
        Refusal("array elements in metadata 'k', which cannot fit") {
            $0.add("k", type: 9, littleEndian(UInt32(8)) + littleEndian(UInt64(1) << 61))
        },
        Refusal("claims 100 array elements") { $0.add("k", type: 9, littleEndian(UInt32(4)) + littleEndian(UInt64(100))) },
        Refusal("metadata 'k' reaches beyond the file's") { $0.add("k", type: 8, littleEndian(UInt64.max)) },
        Refusal("a metadata key reaches beyond the file's") { $0.metadata.append(littleEndian(UInt64(1) << 62)) },
        Refusal("arrays nested deeper than 8") { $0.add("k", type: 9, nested(8)) },
        Refusal("arrays nested deeper than 8") { $0.add("k", type: 9, nested(100_000)) },
        Refusal("metadata 'k' has the unknown type 13") { $0.add("k", type: 13, []) },
        Refusal("array of the unknown type 99") { $0.add("k", type: 9, littleEndian(UInt32(99)) + littleEndian(UInt64(0))) },
        Refusal("a bool is 2") { $0.add("k", type: 7, [2]) },
        Refusal("is not UTF-8") { $0.add("k", type: 8, littleEndian(UInt64(1)) + [0xFF]) },
        Refusal("metadata 'k' appears twice") { for value: UInt8 in 0...1 { $0.add("k", type: 0, [value]) } },
        Refusal("general.alignment is 48") { $0.add("general.alignment", type: 4, littleEndian(UInt32(48))) },
        Refusal("general.alignment is 0") { $0.add("general.alignment", type: 4, littleEndian(UInt32(0))) },
        Refusal("general.alignment is a string") { $0.add("general.alignment", type: 8, GGUFBytes.string("32")) },
        Refusal("one of the 3 parts of a split model") { $0.add("split.count", type: 2, littleEndian(UInt16(3))) },
        Refusal("tensor 'a' appears twice") {
            $0.addTensor("a", [3], offset: 32); $0.data += [UInt8](repeating: 0, count: 32)
        },
        Refusal("tensors 'a' and 'b' overlap") { $0.addTensor("b", [6]) },
        Refusal(#"tensor 'two\nlines' has 5 dimensions"#) { $0.addTensor("two\nlines", [1, 1, 1, 1, 1]) },
        Refusal("a dimension of 9223372036854775808") { $0.addTensor("b", [1 << 63]) },
        Refusal("too many elements to count") { $0.addTensor("b", [1 << 32, 1 << 32]) },
        Refusal("too many bytes to count") { $0.addTensor("b", [1 << 62]) },
        Refusal("tensor 'b' has the unknown type 5; expected one of F32, F16, Q4_0") { $0.addTensor("b", [1], type: 5) },
        Refusal("begins at byte 8 of the data, not a multiple of the alignment 32") { $0.addTensor("b", [1], offset: 8) },
        Refusal("begins at byte 1048576 of the data, but the file has") { $0.addTensor("b", [1], offset: 1 << 20) },
        Refusal("beyond the file's") { $0.addTensor("b", [1], offset: .max - 31) },
        Refusal("tensor 'b' needs 4 bytes from byte") { $0.addTensor("b", [1], offset: 32) },
        Refusal("33 columns are not a whole number") { $0.addTensor("b", [33], type: 2) },
        Refusal("blocks are of 256 elements") { $0.addTensor("b", [32, 8], type: 12) },
        Refusal("tensor 'a' needs 24 bytes") { $0.data.removeLast() },
    ]

    @Test(arguments: refusals) func refuses(refusal: Refusal) throws {
        var contents = Self.valid
        refusal.change(&contents)
        expectRefusal(refusal.fragment) { _ = try open(contents) }
    }

    /// Cut anywhere, the file is refused.
    @Test func refusesEveryTruncation() throws {
        var contents = Self.valid
        contents.add("k", type: 9, littleEndian(UInt32(8)) + littleEndian(UInt64(2)) + GGUFBytes.string("x") + GGUFBytes.string("yz"))
        let bytes = contents.bytes
        for count in 1..<bytes.count {
            let path = try directory.write(Array(bytes.prefix(count)))
            expectRefusal(path) { _ = try GGUFFile(path: path) }
        }
    }

    /// A sparse file of 1 TB full of zero-length keys or array elements is refused before it fills the memory.
    @Test func boundsTheMetadata() throws {
        var contents = GGUFBytes()
        contents.add("k", type: 9, littleEndian(UInt32(0)) + littleEndian(UInt64(1) << 39))
        let path = try directory.write(contents.bytes)
        #expect(truncate(path, 1 << 40) == 0)
        expectRefusal("claims 549755813888 array elements") { _ = try GGUFFile(path: path) }
    }
}
