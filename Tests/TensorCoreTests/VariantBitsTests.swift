import CKernels
import TensorCore
import TestSupport
import Testing

/// kernels.h promises the same bits of all variants with fused multiply-add, so that the nodes of a mixed cluster agree.
@Suite struct VariantBitsTests {
    @Test(.enabled(if: kernelVariants.contains("avx512"), "this processor has no AVX-512"))
    func avx2AndAVX512Agree() async {
        await #expect(processExitsWith: .success) {
            useKernels("avx2")
            let expected = widths.map(everyKernel)
            useKernels("avx512")
            for (n, outputs) in zip(widths, expected) {
                for (index, (found, wanted)) in zip(everyKernel(n), outputs).enumerated() {
                    #expect(found.bits == wanted.bits, "output \(index) of everyKernel(\(n))")
                }
            }
        }
    }
}

/// What every kernel makes of rows of `n` fixed numbers.
private func everyKernel(_ n: Int) -> [[Float]] {
    let x = normals(n, lane: 1, scale: 3), y = normals(n, lane: 2), z = normals(n, lane: 3)
    var outputs: [[Float]] = [[amend_dot(x, y, n), Float(amend_dot_double(x, y, n))]]
    func run(_ kernel: (inout [Float], inout [Float], inout [Float]) -> Void) {
        var a = x, b = y, c = z
        kernel(&a, &b, &c)
        outputs += [a, b, c]
    }
    run { a, _, _ in amend_axpy(&a, 0.3, y, n) }
    run { a, b, _ in
        amend_rms_norm_forward(&a, x, y, n, 1e-5)
        amend_rms_norm_backward(&b, z, x, y, n, 1e-5)
    }
    run { a, b, _ in
        amend_layer_norm_forward(&a, x, y, z, n, 1e-5)
        amend_layer_norm_backward(&b, z, x, y, n, 1e-5)
    }
    run { a, b, _ in
        amend_rotate_halves(&a, y, z, n, 0)
        amend_rotate_pairs(&b, x, z, n, 1)
    }
    for activation in [AMEND_SILU, AMEND_GELU_TANH] {
        run { a, b, c in
            amend_activation_forward(activation, &a, x, y, n)
            amend_activation_backward(activation, &b, &c, z, x, y, n)
        }
        run { a, b, _ in
            amend_activation_forward(activation, &a, x, nil, n)
            amend_activation_backward(activation, &b, nil, z, x, nil, n)
        }
    }
    run { a, _, _ in amend_soft_cap(&a, n, 2) }
    for cap in [0, 4] as [Float] {
        run { a, _, _ in
            var largest = 0
            if cap > 0 { amend_soft_cap(&a, n, cap) }
            let total = amend_log_sum_exp(a, n, &largest)
            amend_cross_entropy_backward(&a, n, total, largest, 0.3, cap)
            a.append(total)
        }
        run { a, b, _ in
            var largest = 0
            b.append(amend_divergence_backward(&a, y, n, amend_log_sum_exp(a, n, &largest), amend_log_sum_exp(y, n, &largest), 0.3, cap))
        }
    }
    run { a, _, _ in amend_standardize(&a, x, y, z, 4, n) }
    run { a, b, c in
        amend_block_forward(&a, z, &b, x, y, z, n)
        var g = x
        amend_block_backward(&g, &a, &b, &c, x, y, z, n)
        a = g
    }
    run { a, b, c in
        var m = y.map(abs)
        amend_adam(&a, &b, &m, z, n, 0.1, 0.9, 0.999, 1e-8, 0.1, 0.001)
        c = m
    }
    for (queries, cap) in [(4, 0), (2, 0), (4, 1.5), (2, 1.5)] as [(Int, Float)] {
        run { a, b, c in
            let rows = min(n, 4), size = n / rows
            let segment = amend_segment(
                first: 0, count: rows, parent: 0, parent_count: 0, window: 0, queries: min(rows, queries),
                scale: 0.7, soft_cap: cap)
            var scratch = [Float](repeating: 0, count: 3 * rows), mixed = x
            amend_attention_forward(&mixed, x, size, y, z, size, segment, size, &scratch)
            amend_attention_backward(&a, &b, &c, z, x, size, y, z, size, size, segment, rows, size, &scratch)
            a += mixed
        }
    }
    return outputs
}
