import LinearAlgebra
import TensorCore

/// Data for kernels: one block of random numbers, repeated. Its length is a prime, so that rows do not repeat one another.
enum Samples {
    private static let block: Matrix = {
        let block = Matrix(uninitializedRows: 1, columns: 16_411)
        RandomStream(seed: 4, purpose: .tests).fillNormal(0..<block.count, into: block.pointer)
        return block
    }()

    /// About standard normal.
    static func matrix(_ rows: Int, _ columns: Int) -> Matrix {
        let matrix = Matrix(uninitializedRows: rows, columns: columns)
        repeatBytes(UnsafeRawBufferPointer(start: block.pointer, count: 4 * block.count), into: matrix.pointer, count: 4 * matrix.count)
        return matrix
    }

    /// Their magnitudes, from 0.5 to 1.5: weights of norms, deviations.
    static func positive(_ rows: Int, _ columns: Int) -> Matrix {
        let matrix = matrix(rows, columns)
        for index in 0..<matrix.count { matrix.pointer[index] = 0.5 + min(1, matrix.pointer[index].magnitude) }
        return matrix
    }

    static func bytes(_ count: Int) -> Bytes {
        let bytes = Bytes(count: count)
        repeatBytes(UnsafeRawBufferPointer(start: block.pointer, count: 4 * block.count), into: bytes.pointer, count: count)
        return bytes
    }

    /// Elements as a weight file stores them: of plain ones the values of `matrix`, of blocks random codes under scales of about 0.02.
    static func stored(_ element: Operand.Element, count: Int) -> Bytes {
        precondition(count % element.blockSize == 0, "\(count) elements in blocks of \(element.blockSize)")
        let bytes = Bytes(count: count / element.blockSize * element.blockBytes)
        let period = min(4099, count / element.blockSize)
        let pattern = Bytes(count: period * element.blockBytes)
        for index in 0..<period { write(element, index, to: pattern.pointer + index * element.blockBytes) }
        repeatBytes(UnsafeRawBufferPointer(start: pattern.pointer, count: pattern.count), into: bytes.pointer, count: bytes.count)
        return bytes
    }

    private static func write(_ element: Operand.Element, _ index: Int, to target: UnsafeMutableRawPointer) {
        let value = block.pointer[index]
        switch element {
        case .float32: target.storeBytes(of: value, as: Float.self)
        case .float16: target.storeBytes(of: UInt16(truncatingIfNeeded: 0x2800 | index & 0x7ff), as: UInt16.self)
        case .bfloat16: target.storeBytes(of: UInt16(value.bitPattern >> 16), as: UInt16.self)
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0:
            for place in 0..<element.blockBytes {
                target.storeBytes(of: UInt8(truncatingIfNeeded: block.pointer[index + place].bitPattern >> 3), toByteOffset: place, as: UInt8.self)
            }
            let halves = element == .q4_1 || element == .q5_1 ? 2 : 1  // a scale, and of some a minimum
            for half in 0..<halves { target.storeBytes(of: UInt16(0x2400 | index & 0xff), toByteOffset: 2 * half, as: UInt16.self) }
        }
    }

    private static func repeatBytes(_ pattern: UnsafeRawBufferPointer, into target: UnsafeMutableRawPointer, count: Int) {
        for first in stride(from: 0, to: count, by: pattern.count) {
            (target + first).copyMemory(from: pattern.baseAddress!, byteCount: min(pattern.count, count - first))
        }
    }
}

final class Bytes: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
    let count: Int

    init(count: Int) {
        self.count = count
        pointer = .allocate(byteCount: max(1, count), alignment: 64)
    }

    deinit { pointer.deallocate() }
}
