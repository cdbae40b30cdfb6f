import Documents
import TensorCore

/// A tensor in a mapped file, its bytes checked to lie inside the file and to be exactly what its shape needs. Holds no
/// elements of its own: copying one is cheap, and keeps the mapping alive.
package struct StoredTensor: Sendable {
    package let name: String
    /// Row-major, outermost dimension first, for GGUF too (whose own order is the reverse). Empty for a scalar.
    package let shape: [Int]
    package let elementType: ElementType
    package let file: MappedFile
    /// Where in `file.bytes` the elements are: any alignment.
    package let byteRange: Range<Int>
    /// The product of `shape`: 1 for a scalar, 0 where a dimension is 0.
    package let elementCount: Int

    /// Throws `BadInput` where the shape's product overflows, the last dimension is not a whole number of blocks, or
    /// the bytes needed are not all in the file.
    init(name: String, shape: [Int], elementType: ElementType, file: MappedFile, start: Int) throws {
        let byteCount = try Self.byteCount(name: name, shape: shape, elementType: elementType, path: file.path)
        let (end, overflow) = start.addingReportingOverflow(byteCount)
        guard start >= 0, !overflow, end <= file.bytes.count else {
            throw BadInput(
                file.path,
                "tensor \(quoted(name)) needs \(byteCount) bytes from byte \(start), but the file has \(file.bytes.count) bytes; "
                    + "is it truncated?")
        }
        self.name = name
        self.shape = shape
        self.elementType = elementType
        self.file = file
        self.byteRange = start..<end
        self.elementCount = byteCount / elementType.blockBytes * elementType.blockElements
    }

    private static func byteCount(name: String, shape: [Int], elementType: ElementType, path: String) throws -> Int {
        let (blockElements, blockBytes) = (elementType.blockElements, elementType.blockBytes)
        guard (shape.last ?? 1) % blockElements == 0 else {
            throw BadInput(
                path,
                "tensor \(quoted(name)) of shape \(shape) is \(elementType.name), whose blocks are of \(blockElements) elements: "
                    + "\(shape.last ?? 1) columns are not a whole number of them")
        }
        var elements = 1
        for dimension in shape {
            let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
            guard dimension >= 0, !overflow else {
                throw BadInput(path, "tensor \(quoted(name)): the shape \(shape) has too many elements to count")
            }
            elements = product
        }
        let (bytes, overflow) = (elements / blockElements).multipliedReportingOverflow(by: blockBytes)
        guard !overflow else { throw BadInput(path, "tensor \(quoted(name)): the shape \(shape) has too many bytes to count") }
        return bytes
    }

    /// The last dimension; 1 for a scalar.
    package var columns: Int { shape.last ?? 1 }
    /// The product of all dimensions but the last; 1 for a vector or scalar.
    package var rows: Int { shape.dropLast().reduce(1, *) }
}

// MARK: elements

extension StoredTensor {
    /// Decodes whole rows to float32 in row-major order: `destination` holds `range.count × columns` floats, which are
    /// overwritten. f64 is rounded; every other decodable type is exact. Throws `BadInput` for a type that cannot be
    /// decoded.
    package func decodeRows(_ range: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of '\(name)', which has \(rows)")
        let decoder = try decoder()
        let rowBlocks = columns / elementType.blockElements
        decodeBlocks(with: decoder, from: range.lowerBound * rowBlocks, count: range.count * rowBlocks, into: destination)
    }

    /// Decodes some columns of one row, at block boundaries or not: `destination` holds `columns.count` floats, which are
    /// overwritten. Throws `BadInput` for a type that cannot be decoded.
    package func decode(row: Int, columns range: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws {
        precondition(row >= 0 && row < rows, "row \(row) of '\(name)', which has \(rows)")
        precondition(
            range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of '\(name)', which has \(columns)")
        let decoder = try decoder()
        let blockElements = elementType.blockElements
        let firstBlock = row * (columns / blockElements)
        var column = range.lowerBound
        var out = destination
        while column < range.upperBound {
            let (block, skipped) = column.quotientAndRemainder(dividingBy: blockElements)
            let wholeBlocks = skipped == 0 ? (range.upperBound - column) / blockElements : 0
            let count: Int
            if wholeBlocks > 0 {
                count = wholeBlocks * blockElements
                decodeBlocks(with: decoder, from: firstBlock + block, count: wholeBlocks, into: out)
            } else {
                count = min(blockElements - skipped, range.upperBound - column)
                decodePart(with: decoder, block: firstBlock + block, elements: skipped..<skipped + count, into: out)
            }
            column += count
            out += count
        }
    }

    /// The elements where they are, if they are f32 at an address that is a multiple of 4; nil otherwise. Valid as long
    /// as `file` lives. Writing to them would end the process: the mapping is read-only.
    package var mappedFloats: UnsafePointer<Float>? {
        guard elementType == .f32, let base = file.bytes.baseAddress else { return nil }
        let start = base + byteRange.lowerBound
        guard Int(bitPattern: start) % MemoryLayout<Float>.alignment == 0 else { return nil }
        return start.assumingMemoryBound(to: Float.self)
    }

    private func decoder() throws -> ElementType.Decoder {
        if let decoder = elementType.decoder { return decoder }
        throw BadInput(
            file.path,
            "tensor \(quoted(name)) is \(elementType.name), which cannot be decoded to float32; "
                + "expected one of \(ElementType.decodableNames)")
    }

    private func decodeBlocks(
        with decoder: ElementType.Decoder, from first: Int, count: Int, into destination: UnsafeMutablePointer<Float>
    ) {
        guard count > 0 else { return }
        let blocks = UnsafeRawBufferPointer(rebasing: file.bytes[byteRange]).baseAddress
        decoder(blocks.map { $0 + first * elementType.blockBytes }, count, destination)
    }

    private func decodePart(
        with decoder: ElementType.Decoder, block: Int, elements: Range<Int>, into destination: UnsafeMutablePointer<Float>
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: elementType.blockElements) { whole in
            guard let start = whole.baseAddress else { return }
            decodeBlocks(with: decoder, from: block, count: 1, into: start)
            destination.update(from: start + elements.lowerBound, count: elements.count)
        }
    }
}
