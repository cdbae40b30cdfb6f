import LinearAlgebra
import TensorCore

/// A weight W [valueSize, keySize] as its file stores it: mapped, or decoded into memory; by rows of W, or by its columns as GPT-2's.
struct WeightMatrix: @unchecked Sendable {
    let valueSize: Int
    let keySize: Int
    let data: UnsafeRawPointer
    let element: Operand.Element
    /// Whether Wᵀ is what lies there row by row.
    let isTransposed: Bool
    /// Elements from one stored row to the next.
    let stride: Int
    let owner: AnyObject
    /// Bytes of this process's memory, and bytes of the mapped file.
    let privateBytes: Int
    let mappedBytes: Int

    /// W, or Wᵀ.
    func operand(transposed: Bool, addend: Matrix? = nil) -> Operand {
        let stored = Operand(data: data, element: element, rows: isTransposed ? keySize : valueSize, columns: isTransposed ? valueSize : keySize,
                             stride: stride, owner: owner, addend: addend)
        return transposed == isTransposed ? stored : stored.transposed
    }

    /// Row `row` of W as float32.
    func decodeRow(_ row: Int, into out: UnsafeMutablePointer<Float>) {
        if isTransposed {
            for column in 0..<keySize { element.widen(data, first: column * stride + row, count: 1, into: out + column) }
        } else {
            element.widen(data, first: row * stride, count: keySize, into: out)
        }
    }
}
