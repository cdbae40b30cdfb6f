import CKernels
import LinearAlgebra
import TensorCore

extension Catalogue {
    /// Rows of a weight from their stored form to float32.
    var widening: [Kernel] {
        let elements: [Operand.Element] = [.float16, .bfloat16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0]
        let (rows, columns) = (sizes.model.intermediate, sizes.model.hidden), count = rows * columns
        let direct = elements.map { element in
            let rowBytes = columns / element.blockSize * element.blockBytes
            return Kernel(name: "widen.\(element.name).\(rows)x\(columns)", operations: Double(count), bytes: Double(4 * count + rows * rowBytes), yardstick: .copy) {
                let data = Samples.stored(element, count: count), out = Samples.matrix(rows, columns)
                return { parallelFor(rows, grain: 16) { element.widen(data.pointer, first: $0 * columns, count: columns, into: out.row($0)) } }
            }
        }
        return direct + decoding
    }

    /// Of the types that are decoded when a model is loaded: blocks of 256.
    private var decoding: [Kernel] {
        let blocks = sizes.decodedBlocks, group = 32
        // Blocks with random scales decode to anything, NaN and infinities too: the work is the same.
        let types = [
            ("q2_k", 84, amend_decode_q2_k), ("q3_k", 110, amend_decode_q3_k), ("q4_k", 144, amend_decode_q4_k), ("q5_k", 176, amend_decode_q5_k),
            ("q6_k", 210, amend_decode_q6_k), ("iq4_xs", 136, amend_decode_iq4_xs),
        ]
        return types.map { name, size, decode in
            Kernel(name: "widen.\(name).\(blocks)x256", operations: Double(256 * blocks), bytes: Double(blocks * (size + 4 * 256)), yardstick: .copy) {
                let data = Samples.bytes(blocks * size), out = Samples.matrix(blocks, 256)
                return { parallelFor(blocks / group) { decode(data.pointer + $0 * group * size, group, out.row($0 * group)) } }
            }
        }
    }

    /// What a checkpoint does to a chunk before it is compressed, on every thread a chunk of its own.
    var planes: [Kernel] {
        let bytes = sizes.chunkBytes, planeChunks = 4
        func kernel(_ name: String, passes: Double, _ body: @escaping (UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>) -> Void) -> Kernel {
            Kernel(name: "planes.\(name).\(bytes)", operations: 0, bytes: passes * Double(bytes * planeChunks), yardstick: .copy) {
                let source = Samples.bytes(bytes * planeChunks), target = Samples.bytes(bytes * planeChunks)
                return {
                    parallelFor(planeChunks) { chunk in
                        body(
                            UnsafePointer((source.pointer + chunk * bytes).assumingMemoryBound(to: UInt8.self)),
                            (target.pointer + chunk * bytes).assumingMemoryBound(to: UInt8.self))
                    }
                }
            }
        }
        return [
            kernel("split.f32", passes: 2) { amend_planes_split($0, bytes / 4, 4, $1) },
            kernel("join.f32", passes: 2) { amend_planes_join($0, bytes / 4, 4, $1) },
            kernel("split.f64", passes: 2) { amend_planes_split($0, bytes / 8, 8, $1) },
            kernel("join.f64", passes: 2) { amend_planes_join($0, bytes / 8, 8, $1) },
            kernel("xor", passes: 3) { amend_bytes_xor($0, bytes, $1) },
        ]
    }
}
