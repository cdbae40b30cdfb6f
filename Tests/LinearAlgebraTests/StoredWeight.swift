import CKernels
import LinearAlgebra
import TensorCore

/// A weight [rows, columns] as a file may store it, and its value.
struct StoredWeight {
    static let elements: [Operand.Element] = [.float32, .float16, .bfloat16] + blocks
    static let blocks: [Operand.Element] = [.q4_0, .q4_1, .q5_0, .q5_1, .q8_0]

    let decoded: Matrix
    let element: Operand.Element
    private let storage: Bytes

    private final class Bytes {
        let pointer: UnsafeMutableRawPointer
        init(count: Int) { pointer = .allocate(byteCount: count, alignment: 64) }
        deinit { pointer.deallocate() }
    }

    /// `wild` blocks have scales among which are infinite ones, besides those of weights, the largest and the smallest.
    init(_ element: Operand.Element, rows: Int, columns: Int, wild: Bool = false) {
        precondition(columns % element.blockSize == 0)
        self.element = element
        decoded = element.blockSize == 1 ? normals(rows, columns, lane: 6) : Matrix(rows: rows, columns: columns)
        storage = Bytes(count: max(1, rows * columns / element.blockSize * element.blockBytes))
        if element.blockSize == 1 { store() } else { fillBlocks(wild: wild) }
    }

    private func store() {
        for index in 0..<decoded.count {
            let value = decoded.pointer[index]
            switch element {
            case .float16:
                storage.pointer.storeBytes(of: Float16(value), toByteOffset: 2 * index, as: Float16.self)
                decoded.pointer[index] = Float(Float16(value))
            case .bfloat16:
                let upper = UInt16(value.bitPattern >> 16)
                storage.pointer.storeBytes(of: upper, toByteOffset: 2 * index, as: UInt16.self)
                decoded.pointer[index] = Float(bitPattern: UInt32(upper) << 16)
            default: storage.pointer.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
            }
        }
    }

    /// Random codes under random scales, decoded by dequantize.h.
    private func fillBlocks(wild: Bool) {
        let stream = RandomStream(seed: 11, purpose: .tests, lane: 8), blocks = decoded.count / 32, size = element.blockBytes
        let scales = normals(blocks, 2, lane: 9)
        let extremes: [Float16] = [-3e-6, 6e-8, 0, -0.0, 65504, -65504] + (wild ? [.infinity, -.infinity] : [])
        for block in 0..<blocks {
            let start = storage.pointer + block * size
            for place in 0..<size {
                start.storeBytes(of: UInt8(truncatingIfNeeded: stream.block(UInt64(block * size + place)).0), toByteOffset: place, as: UInt8.self)
            }
            for half in 0..<(element.hasMinimum ? 2 : 1) {
                let turn = block + 5 * half
                let scale = turn % 9 == 4 ? extremes[turn / 9 % extremes.count] : Float16(0.02 * scales[block, half])
                start.storeBytes(of: scale, toByteOffset: 2 * half, as: Float16.self)
            }
        }
        element.decode(storage.pointer, blocks, decoded.pointer)
    }

    var data: UnsafeRawPointer { UnsafeRawPointer(storage.pointer) }

    func operand(_ addend: Matrix? = nil) -> Operand {
        let weight = Operand(data: data, element: element, rows: decoded.rows, columns: decoded.columns, stride: decoded.columns, owner: storage)
        return addend.map(weight.adding) ?? weight
    }

    /// Columns `range` of it, and their values.
    func columns(_ range: Range<Int>) -> (operand: Operand, values: Matrix) {
        let values = Matrix(rows: decoded.rows, columns: range.count)
        for row in 0..<values.rows { values.row(row).update(from: decoded.row(row) + range.lowerBound, count: range.count) }
        let first = data + range.lowerBound / element.blockSize * element.blockBytes
        return (Operand(data: first, element: element, rows: values.rows, columns: values.columns, stride: decoded.columns, owner: storage), values)
    }
}

extension Operand.Element {
    var hasMinimum: Bool { self == .q4_1 || self == .q5_1 }

    fileprivate func decode(_ blocks: UnsafeRawPointer, _ count: Int, _ out: UnsafeMutablePointer<Float>) {
        switch self {
        case .q4_0: amend_decode_q4_0(blocks, count, out)
        case .q4_1: amend_decode_q4_1(blocks, count, out)
        case .q5_0: amend_decode_q5_0(blocks, count, out)
        case .q5_1: amend_decode_q5_1(blocks, count, out)
        case .q8_0: amend_decode_q8_0(blocks, count, out)
        case .float32, .float16, .bfloat16: preconditionFailure("\(self) has no blocks")
        }
    }
}
