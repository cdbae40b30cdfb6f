import Documents
import TensorCore

/// One safetensors file: 8 bytes of header length (little-endian), a JSON header, then the data, which the tensors cover
/// without hole or overlap. Opening reads the header only.
package struct SafetensorsFile: WeightSource {
    package let path: String
    /// `__metadata__`: whatever its writer noted. Empty where there is none.
    package let metadata: [String: String]
    private let table: TensorTable

    package var tensorNames: [String] { table.names }
    package func tensor(_ name: String) -> StoredTensor? { table[name] }

    /// Throws `BadInput` for a file that cannot be mapped or breaks the format anywhere in its header.
    package init(path: String) throws {
        let file = try MappedFile.open(path)
        let header = try Self.headerRange(of: file)
        var reader = HeaderReader(file: file, dataStart: header.upperBound)
        try reader.read(UnsafeRawBufferPointer(rebasing: file.bytes[header]))
        self.path = path
        self.metadata = reader.metadata
        self.table = reader.table
    }

    /// No real header comes near it; the reference implementation has the same limit.
    private static let largestHeader = 100_000_000

    private static func headerRange(of file: MappedFile) throws -> Range<Int> {
        let count = file.bytes.count
        guard count >= 8 else {
            throw BadInput(file.path, "not a safetensors file: \(count) bytes, but the header length alone takes 8")
        }
        let length = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
        guard length <= largestHeader else {
            throw BadInput(
                file.path,
                "not a safetensors file: the header would have \(length) bytes; at most \(largestHeader) are allowed")
        }
        guard length <= count - 8 else {
            throw BadInput(
                file.path, "the header should have \(length) bytes, but \(count - 8) follow its length; is the file truncated?")
        }
        return 8..<8 + Int(length)
    }
}

/// Gathers a header's entries and checks that the data are covered exactly.
private struct HeaderReader {
    let file: MappedFile
    let dataStart: Int
    var metadata: [String: String] = [:]
    var table = TensorTable()

    init(file: MappedFile, dataStart: Int) {
        self.file = file
        self.dataStart = dataStart
    }

    private var dataCount: Int { file.bytes.count - dataStart }

    mutating func read(_ header: UnsafeRawBufferPointer) throws {
        try JSONParser.readObject(in: header, path: file.path, subject: "safetensors header") { parser, key in
            if key == "__metadata__" {
                if try parser.skipNull() { return }
                try parser.object { parser, key in metadata[key] = try parser.string() }
            } else {
                try table.add(try tensor(key, from: &parser))
            }
        }
        try checkCoverage()
    }

    private func tensor(_ name: String, from parser: inout JSONParser) throws -> StoredTensor {
        var dtype: String?
        var shape: [Int]?
        var offsets: [Int]?
        try parser.object { parser, key in
            switch key {
            case "dtype": dtype = try parser.string()
            case "shape": shape = try counts(from: &parser, atMost: 16, of: name, key)
            case "data_offsets": offsets = try counts(from: &parser, atMost: 2, of: name, key)
            default: try parser.skipValue()
            }
        }
        guard let dtype, let shape, let offsets, offsets.count == 2 else {
            throw failure(name, "expected dtype, shape and data_offsets with two numbers")
        }
        guard let elementType = ElementType(safetensors: dtype) else {
            throw failure(name, "unknown dtype \(quoted(dtype)); expected one of \(ElementType.safetensorsNames)")
        }
        return try tensor(name, shape: shape, elementType: elementType, from: offsets[0], to: offsets[1])
    }

    private func tensor(
        _ name: String, shape: [Int], elementType: ElementType, from begin: Int, to end: Int
    ) throws -> StoredTensor {
        guard begin <= end, end <= dataCount else {
            throw failure(
                name, "data_offsets [\(begin), \(end)] are not within the file's \(dataCount) bytes of data; is it truncated?")
        }
        let tensor = try StoredTensor(
            name: name, shape: shape, elementType: elementType, file: file, start: dataStart + begin)
        guard tensor.byteRange.count == end - begin else {
            throw failure(
                name,
                "\(elementType.name) of shape \(shape) takes \(tensor.byteRange.count) bytes, "
                    + "but data_offsets [\(begin), \(end)] give it \(end - begin)")
        }
        return tensor
    }

    private func counts(
        from parser: inout JSONParser, atMost limit: Int, of name: String, _ key: String
    ) throws -> [Int] {
        var values: [Int] = []
        try parser.array { parser in
            guard values.count < limit else { throw failure(name, "\(key) has more than \(limit) numbers") }
            values.append(try parser.count())
        }
        return values
    }

    private mutating func checkCoverage() throws {
        var covered = dataStart
        for tensor in table.sortByPosition() {
            let start = tensor.byteRange.lowerBound
            guard start == covered else {
                let problem = start < covered ? "overlaps the tensor before it" : "leaves a hole before it"
                throw failure(
                    tensor.name, "its data begin at \(start - dataStart), which \(problem), ending at \(covered - dataStart)")
            }
            covered = tensor.byteRange.upperBound
        }
        guard covered == file.bytes.count else {
            throw BadInput(file.path, "the last \(file.bytes.count - covered) bytes belong to no tensor")
        }
    }

    private func failure(_ name: String, _ problem: String) -> BadInput {
        BadInput(file.path, "tensor \(quoted(name)): \(problem)")
    }
}
