import CKernels
import Foundation
import TensorCore

// Row by row over the process's threads, as Norm, Rotary and DecoderLayer of Transformer run them.

extension Catalogue {
    var norms: [Kernel] {
        sizes.models.map { (sizes.tokens, $0.hidden) }.flatMap { rows, n -> [Kernel] in
            let count = Double(rows * n)
            func kernel(_ name: String, operations: Double, passes: Double, _ prepare: @escaping () -> () -> Void) -> Kernel {
                Kernel(name: "norm.\(name).\(rows)x\(n)", operations: operations * count, bytes: 4 * passes * count, yardstick: .copy, prepare: prepare)
            }
            return [
                kernel("rms.forward", operations: 4, passes: 2) {
                    let x = Samples.matrix(rows, n), out = Samples.matrix(rows, n), weight = Samples.positive(1, n)
                    return { parallelFor(rows, grain: 8) { amend_rms_norm_forward(out.row($0), x.row($0), weight.pointer, n, 1e-5) } }
                },
                kernel("rms.backward", operations: 8, passes: 4) {
                    let x = Samples.matrix(rows, n), dout = Samples.matrix(rows, n), dx = Samples.matrix(rows, n), weight = Samples.positive(1, n)
                    return { parallelFor(rows, grain: 8) { amend_rms_norm_backward(dx.row($0), dout.row($0), x.row($0), weight.pointer, n, 1e-5) } }
                },
                kernel("layer.forward", operations: 6, passes: 2) {
                    let x = Samples.matrix(rows, n), out = Samples.matrix(rows, n), weight = Samples.positive(1, n), bias = Samples.matrix(1, n)
                    return {
                        parallelFor(rows, grain: 8) { amend_layer_norm_forward(out.row($0), x.row($0), weight.pointer, bias.pointer, n, 1e-5) }
                    }
                },
                kernel("layer.backward", operations: 11, passes: 4) {
                    let x = Samples.matrix(rows, n), dout = Samples.matrix(rows, n), dx = Samples.matrix(rows, n), weight = Samples.positive(1, n)
                    return { parallelFor(rows, grain: 8) { amend_layer_norm_backward(dx.row($0), dout.row($0), x.row($0), weight.pointer, n, 1e-5) } }
                },
            ]
        }
    }

    var rotary: [Kernel] {
        let turns = [("halves", amend_rotate_halves), ("pairs", amend_rotate_pairs)]
        return turns.flatMap { name, turn in
            sizes.models.map { shape in
                let tokens = sizes.tokens, size = shape.headSize, count = Double(tokens * shape.heads * size)
                return Kernel(name: "rotary.\(name).\(tokens)x\(shape.heads)x\(size)", operations: 3 * count, bytes: 8 * count, yardstick: .copy) {
                    let x = Samples.matrix(tokens, shape.heads * size)
                    let cosines = Matrix(rows: tokens, columns: size / 2), sines = Matrix(rows: tokens, columns: size / 2)
                    for position in 0..<tokens {
                        for i in 0..<size / 2 {
                            let angle = Float(position) / pow(10_000, 2 * Float(i) / Float(size))
                            (cosines[position, i], sines[position, i]) = (cos(angle), sin(angle))
                        }
                    }
                    return {
                        parallelFor(tokens, grain: 8) { token in
                            for head in 0..<shape.heads { turn(x.row(token) + head * size, cosines.row(token), sines.row(token), size, 0) }
                        }
                    }
                }
            }
        }
    }

    var activations: [Kernel] {
        [("silu", AMEND_SILU), ("gelu", AMEND_GELU_TANH)].flatMap { name, activation in
            sizes.models.map { (sizes.tokens, $0.intermediate) }.flatMap { rows, n -> [Kernel] in
                let count = Double(rows * n)
                return [
                    Kernel(name: "activation.\(name).forward.\(rows)x\(n)", operations: 8 * count, bytes: 12 * count, yardstick: .copy) {
                        let gate = Samples.matrix(rows, n), up = Samples.matrix(rows, n), out = Samples.matrix(rows, n)
                        return { parallelFor(rows, grain: 4) { amend_activation_forward(activation, out.row($0), gate.row($0), up.row($0), n) } }
                    },
                    Kernel(name: "activation.\(name).backward.\(rows)x\(n)", operations: 14 * count, bytes: 20 * count, yardstick: .copy) {
                        let gate = Samples.matrix(rows, n), up = Samples.matrix(rows, n), dout = Samples.matrix(rows, n)
                        let dgate = Samples.matrix(rows, n), dup = Samples.matrix(rows, n)
                        return {
                            parallelFor(rows, grain: 4) {
                                amend_activation_backward(activation, dgate.row($0), dup.row($0), dout.row($0), gate.row($0), up.row($0), n)
                            }
                        }
                    },
                ]
            }
        }
    }

    var attention: [Kernel] {
        sizes.models.flatMap { shape in sizes.packs.map { ($0.count, $0.tokens, shape) } }.flatMap { segments, tokens, shape -> [Kernel] in
            let size = shape.headSize, heads = shape.heads, group = heads / shape.keyValueHeads, rows = segments * tokens
            let width = heads * size, keyWidth = shape.keyValueHeads * size
            let pairs = Double(segments * heads * tokens * (tokens + 1) / 2)  // of a query and a key before or at it
            let name = "\(segments)x\(tokens).\(heads)x\(size)"
            func segment(_ index: Int) -> amend_segment {
                amend_segment(
                    first: index * tokens, count: tokens, parent: 0, parent_count: 0, window: 0, queries: tokens,
                    scale: 1 / Float(size).squareRoot(), soft_cap: 0)
            }
            return [
                Kernel(
                    name: "attention.forward.\(name)", operations: 4 * pairs * Double(size), bytes: 4 * Double(rows * 2 * (width + keyWidth)),
                    yardstick: .sgemm
                ) {
                    let q = Samples.matrix(rows, width), k = Samples.matrix(rows, keyWidth), v = Samples.matrix(rows, keyWidth)
                    let out = Samples.matrix(rows, width)
                    return {
                        parallelFor(segments * heads) { job in
                            let (index, head) = job.quotientAndRemainder(dividingBy: heads)
                            let first = index * tokens, column = head * size, keyColumn = head / group * size
                            withUnsafeTemporaryAllocation(of: Float.self, capacity: tokens) { scores in
                                amend_attention_forward(
                                    out.row(first) + column, q.row(first) + column, width, k.pointer + keyColumn,
                                    v.pointer + keyColumn, keyWidth, segment(index), size, scores.baseAddress)
                            }
                        }
                    }
                },
                Kernel(
                    name: "attention.backward.\(name)", operations: 10 * pairs * Double(size), bytes: 4 * Double(rows * (3 * width + 6 * keyWidth)),
                    yardstick: .sgemm
                ) {
                    let q = Samples.matrix(rows, width), k = Samples.matrix(rows, keyWidth), v = Samples.matrix(rows, keyWidth)
                    let dout = Samples.matrix(rows, width), dq = Samples.matrix(rows, width)
                    let dk = Samples.matrix(rows, keyWidth), dv = Samples.matrix(rows, keyWidth)
                    return {
                        parallelFor(segments * shape.keyValueHeads) { job in
                            let (index, keyHead) = job.quotientAndRemainder(dividingBy: shape.keyValueHeads)
                            let first = index * tokens, keyColumn = keyHead * size
                            withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * tokens) { scratch in
                                for head in keyHead * group..<(keyHead + 1) * group {
                                    let column = head * size
                                    amend_attention_backward(
                                        dq.row(first) + column, dk.row(first) + keyColumn, dv.row(first) + keyColumn, dout.row(first) + column,
                                        q.row(first) + column, width, k.pointer + keyColumn, v.pointer + keyColumn, keyWidth, keyWidth,
                                        segment(index), tokens, size, scratch.baseAddress)
                                }
                            }
                        }
                    }
                },
            ]
        }
    }

    var vocabulary: [Kernel] {
        sizes.models.flatMap { shape -> [Kernel] in
            let rows = sizes.answers, n = shape.vocabulary, count = Double(rows * n)
            return [
                Kernel(name: "vocabulary.log-sum-exp.\(rows)x\(n)", operations: 4 * count, bytes: 4 * count, yardstick: .copy) {
                    let logits = Samples.matrix(rows, n), totals = Matrix(rows: rows, columns: 1)
                    return {
                        parallelFor(rows) { row in
                            var largest = 0
                            totals[row, 0] = amend_log_sum_exp(logits.row(row), n, &largest)
                        }
                    }
                },
                Kernel(name: "vocabulary.cross-entropy-backward.\(rows)x\(n)", operations: 4 * count, bytes: 8 * count, yardstick: .copy) {
                    let logits = Samples.matrix(rows, n), total = log(Float(n)) + 0.5
                    return { parallelFor(rows) { amend_cross_entropy_backward(logits.row($0), n, total, 7 * $0, 1, 0) } }
                },
                Kernel(name: "vocabulary.soft-cap.\(rows)x\(n)", operations: 8 * count, bytes: 8 * count, yardstick: .copy) {
                    let logits = Samples.matrix(rows, n)
                    return { parallelFor(rows) { amend_soft_cap(logits.row($0), n, 30) } }
                },
            ]
        }
    }
}
