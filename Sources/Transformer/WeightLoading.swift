import LinearAlgebra
import TensorCore
import WeightFiles

/// How the frozen weights are held.
public enum WeightPrecision: String, Sendable, CaseIterable {
    /// As the file has them: mapped where the engine computes with their type, else decoded to float32.
    case auto
    /// Decoded to float32 in this process's memory, where the file has another type.
    case float32 = "f32"
    /// bfloat16: mapped where the file has it, else rounded to it in this process's memory.
    case bfloat16 = "bf16"
}

/// Brings stored tensors into the forms that the engine computes with.
struct WeightLoader {
    let precision: WeightPrecision

    /// A weight W. The tensor holds its rows or, `transposed`, its columns; `part` of W's rows, all of them if nil; row i of the result is row
    /// `order(i)` of what the tensor holds.
    func weight(_ tensor: StoredTensor, transposed: Bool = false, part: Range<Int>? = nil, order: ((Int) -> Int)? = nil) throws -> WeightMatrix {
        let valueSize = transposed ? tensor.columns : tensor.rows, keySize = transposed ? tensor.rows : tensor.columns
        let part = part ?? 0..<valueSize
        precondition(part.lowerBound >= 0 && part.upperBound <= valueSize, "rows \(part) of '\(tensor.name)', which has \(valueSize)")
        precondition(!transposed || order == nil, "the rows of a transposed weight are not reordered")
        if let element = usableElement(tensor), !transposed || element.blockSize == 1, let data = tensor.file.bytes.baseAddress {
            let rowBytes = tensor.columns / tensor.elementType.blockElements * tensor.elementType.blockBytes
            let start = data + tensor.byteRange.lowerBound
            if let order {
                let bytes = FloatBuffer(count: (part.count * rowBytes + 3) / 4), copy = UnsafeMutableRawPointer(bytes.pointer)
                for row in part { (copy + (row - part.lowerBound) * rowBytes).copyMemory(from: start + order(row) * rowBytes, byteCount: rowBytes) }
                return WeightMatrix(
                    valueSize: part.count, keySize: keySize, data: copy, element: element, isTransposed: false, stride: keySize,
                    owner: bytes, privateBytes: part.count * rowBytes, mappedBytes: 0)
            }
            let first = start + part.lowerBound * (transposed ? tensor.elementType.blockBytes : rowBytes)
            return WeightMatrix(
                valueSize: part.count, keySize: keySize, data: first, element: element, isTransposed: transposed, stride: tensor.columns,
                owner: tensor.file, privateBytes: 0, mappedBytes: part.count * keySize / tensor.elementType.blockElements * tensor.elementType.blockBytes)
        }
        return try decoded(tensor, transposed: transposed, part: part, order: order)
    }

    /// The type to compute with straight from the file, if that is possible.
    private func usableElement(_ tensor: StoredTensor) -> Operand.Element? {
        let element: Operand.Element, alignment: Int
        switch tensor.elementType {
        case .f32: (element, alignment) = (.float32, 4)
        case .f16: (element, alignment) = (.float16, 2)
        case .bf16: (element, alignment) = (.bfloat16, 2)
        case .q4_0: (element, alignment) = (.q4_0, 1)
        case .q4_1: (element, alignment) = (.q4_1, 1)
        case .q5_0: (element, alignment) = (.q5_0, 1)
        case .q5_1: (element, alignment) = (.q5_1, 1)
        case .q8_0: (element, alignment) = (.q8_0, 1)
        default: return nil
        }
        switch precision {
        case .float32 where element != .float32: return nil
        case .bfloat16 where element != .bfloat16: return nil
        default: break
        }
        guard let data = tensor.file.bytes.baseAddress else { return nil }
        return Int(bitPattern: data + tensor.byteRange.lowerBound) % alignment == 0 ? element : nil
    }

    private func decoded(_ tensor: StoredTensor, transposed: Bool, part: Range<Int>, order: ((Int) -> Int)?) throws -> WeightMatrix {
        var matrix = try Self.matrix(tensor)
        if let order {
            let reordered = Matrix(uninitializedRows: matrix.rows, columns: matrix.columns)
            for row in 0..<matrix.rows { reordered.row(row).update(from: matrix.row(order(row)), count: matrix.columns) }
            matrix = reordered
        }
        let keySize = transposed ? matrix.rows : matrix.columns, offset = part.lowerBound * (transposed ? 1 : matrix.columns)
        let isBrain = precision == .bfloat16
        let buffer = isBrain ? Self.roundedToBrain(matrix) : nil
        let bytes = part.count * keySize * (isBrain ? 2 : 4)
        let data = buffer.map { UnsafeRawPointer($0.pointer) + 2 * offset } ?? UnsafeRawPointer(matrix.pointer + offset)
        return WeightMatrix(
            valueSize: part.count, keySize: keySize, data: data, element: isBrain ? .bfloat16 : .float32, isTransposed: transposed,
            stride: matrix.columns, owner: buffer ?? matrix.owner, privateBytes: bytes, mappedBytes: 0)
    }

    /// The elements rounded to bfloat16, to nearest even.
    private static func roundedToBrain(_ matrix: Matrix) -> FloatBuffer {
        let buffer = FloatBuffer(count: (matrix.count + 1) / 2)
        let out = UncheckedSendable(UnsafeMutableRawPointer(buffer.pointer).bindMemory(to: UInt16.self, capacity: matrix.count))
        parallelFor(matrix.rows, grain: 64) { row in
            let source = matrix.row(row), target = out.value + row * matrix.columns
            for column in 0..<matrix.columns {
                let bits = source[column].bitPattern
                let isNaN = bits & 0x7fff_ffff > 0x7f80_0000
                target[column] = UInt16(truncatingIfNeeded: (isNaN ? bits | 0x40_0000 : bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
            }
        }
        return buffer
    }

    /// The whole tensor decoded to float32 [rows, columns], over the process's threads.
    static func matrix(_ tensor: StoredTensor) throws -> Matrix {
        guard tensor.elementCount > 0 else { return Matrix(rows: 0, columns: tensor.columns) }  // it may have any number of empty rows
        let result = Matrix(uninitializedRows: tensor.rows, columns: tensor.columns)
        let grain = max(1, 1 << 18 / max(1, tensor.columns))
        let blocks = (tensor.rows + grain - 1) / grain
        try tensor.decodeRows(0..<min(grain, tensor.rows), into: result.pointer)  // what cannot be decoded says so here
        parallelFor(blocks - 1) { block in
            let rows = (block + 1) * grain..<min(tensor.rows, (block + 2) * grain)
            do { try tensor.decodeRows(rows, into: result.row(rows.lowerBound)) } catch {
                preconditionFailure("\(tensor.name): the first rows could be decoded and rows \(rows) could not: \(error)")
            }
        }
        return result
    }

    /// A norm's weight or a bias as [1, n].
    static func vector(_ tensor: StoredTensor, plus offset: Float = 0) throws -> Matrix {
        let decoded = try matrix(tensor), result = decoded.reshaped(rows: 1, columns: decoded.count)
        if offset != 0 { for index in 0..<result.count { result[0, index] += offset } }
        return result
    }
}
