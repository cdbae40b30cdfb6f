import LinearAlgebra
import TensorCore
import WeightFiles

/// Brings stored tensors into the forms that the engine computes with.
enum WeightLoading {
    /// A weight [rows, columns]. Float32, float16 and bfloat16 stay in the mapped file; quantised ones are decoded.
    static func weight(_ tensor: StoredTensor) throws -> WeightMatrix {
        let element: Operand.Element? = switch tensor.elementType {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        default: nil
        }
        let data = tensor.file.bytes.baseAddress.map { $0 + tensor.byteRange.lowerBound }
        if let element, let data, Int(bitPattern: data) % (element == .float32 ? 4 : 2) == 0 {
            return WeightMatrix(rows: tensor.rows, columns: tensor.columns, data: data, element: element, owner: tensor.file, residentBytes: 0)
        }
        return weight(try matrix(tensor))
    }

    static func weight(_ matrix: Matrix) -> WeightMatrix {
        WeightMatrix(rows: matrix.rows, columns: matrix.columns, data: UnsafeRawPointer(matrix.pointer), element: .float32,
                     owner: matrix.owner, residentBytes: matrix.count * MemoryLayout<Float>.stride)
    }

    /// The whole tensor decoded to float32 [rows, columns], over the process's threads.
    static func matrix(_ tensor: StoredTensor) throws -> Matrix {
        let result = Matrix(uninitializedRows: tensor.rows, columns: tensor.columns)
        let grain = max(1, 1 << 18 / max(1, tensor.columns))
        let blocks = (tensor.rows + grain - 1) / grain
        guard tensor.rows > 0 else { return result }
        try tensor.decodeRows(0..<min(grain, tensor.rows), into: result.pointer)  // what cannot be decoded says so here
        parallelFor(blocks - 1) { block in
            let rows = (block + 1) * grain..<min(tensor.rows, (block + 2) * grain)
            do { try tensor.decodeRows(rows, into: result.row(rows.lowerBound)) } catch {
                preconditionFailure("\(tensor.name): the first rows could be decoded and rows \(rows) could not: \(error)")
            }
        }
        return result
    }

    /// A norm's weight as [1, n].
    static func vector(_ tensor: StoredTensor) throws -> Matrix {
        let result = try matrix(tensor)
        return result.reshaped(rows: 1, columns: result.count)
    }
}
