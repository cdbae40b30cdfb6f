import CKernels
import Editors
import LinearAlgebra
import TensorCore

extension Catalogue {
    /// Rows of the hypernetwork and of its normalizer.
    var hypernetwork: [Kernel] {
        let rows = sizes.captured, n = sizes.model.width, count = Double(rows * n), slices = 8
        func kernel(_ name: String, operations: Double, passes: Double, _ prepare: @escaping () -> () -> Void) -> Kernel {
            Kernel(name: "hypernetwork.\(name).\(rows)x\(n)", operations: operations * count, bytes: 4 * passes * count, yardstick: .copy, prepare: prepare)
        }
        return [
            kernel("observe", operations: 5, passes: 2) {
                let keySize = sizes.model.hidden, valueSize = sizes.model.intermediate
                let moments = RunningMoments(keySize: keySize, valueSize: valueSize)
                let keys = Samples.matrix(rows, keySize), gradients = Samples.matrix(rows, valueSize)
                return { moments.observe(keys: keys, gradients: gradients) }
            },
            kernel("standardize", operations: 3, passes: 2) {
                let x = Samples.matrix(rows, n), z = Samples.matrix(rows, n), mean = Samples.matrix(1, n), deviation = Samples.positive(1, n)
                return { parallelFor(rows, grain: 8) { amend_standardize(z.row($0), x.row($0), mean.pointer, deviation.pointer, 1e-7, n) } }
            },
            kernel("block-forward", operations: 5, passes: 4) {
                let z = Samples.matrix(rows, n), pre = Samples.matrix(rows, n), out = Samples.matrix(rows, n)
                let bias = Matrix(rows: 1, columns: n), scale = Samples.positive(1, n), shift = Samples.matrix(1, n)
                return {
                    parallelFor(rows, grain: 4) {
                        amend_block_forward(out.row($0), z.row($0), pre.row($0), bias.pointer, scale.pointer, shift.pointer, n)
                    }
                }
            },
            kernel("block-backward", operations: 6, passes: 3) {
                let dy = Samples.matrix(rows, n), pre = Samples.matrix(rows, n), g = Samples.matrix(rows, n), scale = Samples.positive(1, n)
                let vectors = Matrix(rows: 3 * slices, columns: n)
                return {
                    parallelFor(slices) { slice in
                        for row in rows * slice / slices..<rows * (slice + 1) / slices {
                            amend_block_backward(
                                g.row(row), vectors.row(3 * slice), vectors.row(3 * slice + 1), vectors.row(3 * slice + 2),
                                dy.row(row), pre.row(row), scale.pointer, n)
                        }
                    }
                }
            },
        ]
    }

    /// The update of one of the hypernetwork's matrices.
    var optimizer: [Kernel] {
        let size = (sizes.model.width, sizes.rank), count = size.0 * size.1, block = 1 << 16  // as Adam.step cuts it
        func blocks(_ body: @escaping (Int, Int) -> Void) -> () -> Void {
            { parallelFor((count + block - 1) / block) { body($0 * block, min(block, count - $0 * block)) } }
        }
        return [
            Kernel(name: "update.adam.\(size.0)x\(size.1)", operations: 14 * Double(count), bytes: 28 * Double(count), yardstick: .copy) {
                let value = Samples.matrix(size.0, size.1), gradient = Samples.matrix(size.0, size.1)
                let first = Matrix(rows: size.0, columns: size.1), second = Matrix(rows: size.0, columns: size.1)
                return blocks { start, count in
                    amend_adam(
                        value.pointer + start, first.pointer + start, second.pointer + start, gradient.pointer + start, count, 1e-5, 0.9, 0.999,
                        1e-8, 0.1, 0.001)
                }
            },
            Kernel(name: "update.sum-of-squares.\(size.0)x\(size.1)", operations: 2 * Double(count), bytes: 4 * Double(count), yardstick: .copy) {
                let gradient = Samples.matrix(size.0, size.1), pieces = Matrix(rows: (count + block - 1) / block, columns: 1)
                return blocks { start, count in pieces[start / block, 0] = Float(amend_sum_of_squares(gradient.pointer + start, count)) }
            },
            Kernel(name: "update.scale.\(size.0)x\(size.1)", operations: Double(count), bytes: 8 * Double(count), yardstick: .copy) {
                let gradient = Samples.matrix(size.0, size.1)
                return blocks { start, count in amend_scale(gradient.pointer + start, 1, count) }
            },
            Kernel(name: "update.add.\(size.0)x\(size.1)", operations: Double(count), bytes: 12 * Double(count), yardstick: .copy) {
                let sum = Matrix(rows: size.0, columns: size.1), gradient = Samples.matrix(size.0, size.1)
                return blocks { start, count in amend_add(sum.pointer + start, gradient.pointer + start, count) }
            },
        ]
    }
}
