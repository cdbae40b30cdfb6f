import Foundation
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
        let weight = Operand(
            data: data, element: element, rows: isTransposed ? keySize : valueSize, columns: isTransposed ? valueSize : keySize, stride: stride, owner: owner)
        let stored = addend.map(weight.adding) ?? weight
        return transposed == isTransposed ? stored : stored.transposed
    }

    /// Asks the kernel to read the weight from its file while something else is computed.
    func prefetch() {
        guard mappedBytes > 0, stride == (isTransposed ? valueSize : keySize) else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE))), start = Int(bitPattern: data), first = start / page * page
        _ = UnsafeMutableRawPointer(bitPattern: first).map { madvise($0, start + mappedBytes - first, MADV_WILLNEED) }
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
