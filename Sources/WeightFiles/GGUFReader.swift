import Documents
import TensorCore

/// Parses a GGUF file front to back:
///
///     "GGUF", version u32, tensor count u64, metadata count u64
///     metadata:  key string, type u32, value
///     tensors:   name string, rank u32, dimensions u64 (innermost first), type u32, offset u64
///     padding to general.alignment, then the data; offsets count from here and are multiples of the alignment
///
/// A string is a u64 byte count and UTF-8; an array is an element type u32, a u64 count and the elements. Every count is
/// checked against the bytes left before anything is allocated for it.
struct GGUFReader {
    struct Contents {
        var metadata: [String: GGUFValue]
        var table: TensorTable
    }

    private let file: MappedFile
    private var cursor: GGUFCursor

    init(file: MappedFile) {
        self.file = file
        cursor = GGUFCursor(file: file)
    }

    mutating func read() throws -> Contents {
        try checkMagicAndVersion()
        let tensorCount = try cursor.count(itemBytes: 8 + 4 + 4 + 8, "tensors")
        let metadataCount = try cursor.count(itemBytes: 8 + 4 + 1, "metadata entries")
        let metadata = try readMetadata(count: metadataCount)
        let alignment = try alignment(metadata)
        let descriptions = try (0..<tensorCount).map { _ in try readDescription() }
        let table = try place(descriptions, alignment: alignment)
        return Contents(metadata: metadata, table: table)
    }

    private func failure(_ problem: String) -> BadInput { BadInput(file.path, problem) }

    private mutating func checkMagicAndVersion() throws {
        guard file.bytes.starts(with: "GGUF".utf8) else {
            throw failure("not a GGUF file: it does not begin with the letters GGUF")
        }
        cursor.position = 4
        let version = try cursor.integer(UInt32.self, "the version")
        if version & 0xFFFF == 0 {
            throw failure("a big-endian GGUF file; convert it with 'gguf-convert-endian FILE little'")
        }
        guard version == 2 || version == 3 else { throw failure("GGUF version \(version); expected 2 or 3") }
    }

    // MARK: metadata

    private mutating func readMetadata(count: Int) throws -> [String: GGUFValue] {
        var metadata: [String: GGUFValue] = [:]
        for _ in 0..<count {
            let key = try cursor.string("a metadata key")
            let subject = "metadata \(quoted(key))"
            let type = try cursor.integer(UInt32.self, subject)
            let value = try cursor.value(type: type, depth: 0, subject)
            guard metadata.updateValue(value, forKey: key) == nil else { throw failure("\(subject) appears twice") }
        }
        return metadata
    }

    private func alignment(_ metadata: [String: GGUFValue]) throws -> Int {
        switch metadata["general.alignment"] {
        case nil: return 32
        case .integer(let alignment) where alignment > 0 && alignment <= 1 << 31 && alignment & (alignment - 1) == 0:
            return alignment
        case .integer(let alignment):
            throw failure("general.alignment is \(alignment); expected a power of two up to 2147483648")
        case .some(let other): throw failure("general.alignment is \(other.kind); expected an integer")
        }
    }

    // MARK: tensors

    private struct Description {
        var name: String
        var shape: [Int]
        var elementType: ElementType
        var offset: Int
    }

    private mutating func readDescription() throws -> Description {
        let name = try cursor.string("a tensor's name")
        let subject = "tensor \(quoted(name))"
        let shape = try readShape(subject)
        let code = try cursor.integer(UInt32.self, subject)
        guard let elementType = ElementType(ggml: code) else {
            throw failure("\(subject) has the unknown type \(code); expected one of \(ElementType.ggmlNames)")
        }
        let offset = try cursor.integer(UInt64.self, subject)
        guard let offset = Int(exactly: offset) else {
            throw failure("\(subject) begins at byte \(offset) of the data, beyond the file's \(file.bytes.count) bytes")
        }
        return Description(name: name, shape: shape, elementType: elementType, offset: offset)
    }

    /// Row-major: outermost dimension first.
    private mutating func readShape(_ subject: String) throws -> [Int] {
        let rank = try cursor.integer(UInt32.self, subject)
        guard rank <= 4 else { throw failure("\(subject) has \(rank) dimensions; expected at most 4") }
        var shape: [Int] = []
        for _ in 0..<rank {
            let dimension = try cursor.integer(UInt64.self, subject)
            guard let dimension = Int(exactly: dimension) else {
                throw failure("\(subject) has a dimension of \(dimension), too many to count")
            }
            shape.append(dimension)
        }
        return shape.reversed()
    }

    private func place(_ descriptions: [Description], alignment: Int) throws -> TensorTable {
        // The cursor is within the file and the alignment at most 2³¹: no overflow.
        let dataStart = (cursor.position + alignment - 1) / alignment * alignment
        var table = TensorTable()
        for description in descriptions {
            guard description.offset % alignment == 0 else {
                throw failure(
                    "tensor \(quoted(description.name)) begins at byte \(description.offset) of the data, "
                        + "not a multiple of the alignment \(alignment)")
            }
            guard description.offset <= file.bytes.count else {
                throw failure(
                    "tensor \(quoted(description.name)) begins at byte \(description.offset) of the data, "
                        + "but the file has \(file.bytes.count) bytes; is it truncated?")
            }
            try table.add(
                StoredTensor(
                    name: description.name, shape: description.shape, elementType: description.elementType, file: file,
                    start: dataStart + description.offset))
        }
        try checkOverlap(table.sortByPosition())
        return table
    }

    private func checkOverlap(_ sorted: [StoredTensor]) throws {
        for (one, next) in zip(sorted, sorted.dropFirst()) where next.byteRange.lowerBound < one.byteRange.upperBound {
            throw failure("tensors \(quoted(one.name)) and \(quoted(next.name)) overlap at byte \(next.byteRange.lowerBound)")
        }
    }
}
