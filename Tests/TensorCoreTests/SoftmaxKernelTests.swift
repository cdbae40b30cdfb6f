import CKernels
import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct SoftmaxKernelTests {
    @Test(arguments: kernelVariants) func logSumExp(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths + [1000] {
                for (scale, offset) in [(1, 0), (20, 0), (5, 3e4), (5, -3e4)] as [(Float, Float)] {
                    let x = normals(n, lane: 1, scale: scale).map { $0 + offset }
                    var largest = -1
                    let found = Double(amend_log_sum_exp(x, n, &largest)), expected = logarithm(x.doubles)
                    #expect(abs(found - expected) <= 3e-7 * max(1, abs(expected)), "\(n) numbers times \(scale) plus \(offset)")
                    #expect(largest == x.firstIndex(of: x.max() ?? .nan))
                }
            }
        }
    }

    @Test(arguments: kernelVariants) func logSumExpOfExtremes(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths where n > 2 {
                var largest = -1
                func total(_ change: (inout [Float]) -> Void) -> Float {
                    var x = [Float](repeating: 0, count: n)
                    change(&x)
                    return amend_log_sum_exp(x, n, &largest)
                }
                #expect(abs(total { _ in } - Float(log(Double(n)))) < 1e-6 && largest == 0, "of equals the first is the largest")
                #expect(total { $0[1] = 500 } == 500 && largest == 1)
                #expect(abs(total { $0[n - 1] = -.infinity } - Float(log(Double(n - 1)))) < 1e-6 && largest == 0)
                #expect(total { x in for i in 0..<n - 1 { x[i] = -.infinity } } == 0 && largest == n - 1)
                for place in [0, 1, n - 1] { #expect(total { $0[place] = .nan }.isNaN, "NaN at \(place) of \(n)") }
            }
        }
    }

    @Test(arguments: kernelVariants) func crossEntropy(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths where n > 1 {
                for label in Set([0, n / 2, n - 1]) {
                    let x = normals(n, lane: 1, scale: 2), weight: Float = 0.3
                    var gradient = x, largest = 0
                    amend_cross_entropy_backward(&gradient, n, amend_log_sum_exp(x, n, &largest), label, weight, 0)
                    let expected = centralDifferences(at: x.doubles) { Double(weight) * (logarithm($0) - $0[label]) }
                    expectClose(gradient, expected, "cross entropy of \(n), label \(label)")
                }
            }
        }
    }

    /// Of two sets of logits, capped or not; the gradient is with respect to the second before they were.
    @Test(arguments: kernelVariants) func divergence(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let cases: [(Int, Float)] = widths.filter { $0 > 1 }.flatMap { n in [0, 3, 30].map { (n, $0) } }
            for (n, cap) in cases {
                let x = normals(n, lane: 1, scale: 2), reference = normals(n, lane: 2, scale: 2), weight: Float = 0.3
                var gradient = x, largest = 0
                if cap > 0 { amend_soft_cap(&gradient, n, cap) }
                let total = amend_log_sum_exp(gradient, n, &largest), referenceTotal = amend_log_sum_exp(reference, n, &largest)
                let found = amend_divergence_backward(&gradient, reference, n, total, referenceTotal, weight, cap)
                func value(_ x: [Double]) -> Double {
                    let x = cap > 0 ? x.map { Double(cap) * tanh($0 / Double(cap)) } : x, total = logarithm(x), other = logarithm(reference.doubles)
                    return Double(weight) * zip(reference.doubles, x).reduce(0) { $0 + exp($1.0 - other) * ($1.0 - other - $1.1 + total) }
                }
                #expect(abs(Double(found) - value(x.doubles)) < 1e-5 * max(1, value(x.doubles)), "divergence of \(n) logits capped at \(cap)")
                // A difference of two probabilities, each with the roundings of its log Σ exp: of two logits little else may be left.
                let expected = centralDifferences(at: x.doubles) { value($0) }
                let largestError = zip(gradient, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
                #expect(largestError < 1e-6 * Double(weight), "its gradient of \(n) logits capped at \(cap)")
                var same = reference
                #expect(abs(amend_divergence_backward(&same, reference, n, referenceTotal, referenceTotal, weight, 0)) < 1e-6)
                #expect(same.allSatisfy { $0 == 0 }, "nothing pulls at what has not changed")
            }
        }
    }

    /// The gradient with respect to logits before they were capped.
    @Test(arguments: kernelVariants) func cappedCrossEntropy(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for (n, cap) in widths.filter({ $0 > 1 }).flatMap({ n in [Float(3), 30].map { (n, $0) } }) {
                for label in Set([0, n / 2, n - 1]) {
                    let x = normals(n, lane: 1, scale: 2), weight: Float = 0.3
                    var gradient = x, largest = 0
                    amend_soft_cap(&gradient, n, cap)
                    amend_cross_entropy_backward(&gradient, n, amend_log_sum_exp(gradient, n, &largest), label, weight, cap)
                    let expected = centralDifferences(at: x.doubles) { x in
                        let capped = x.map { Double(cap) * tanh($0 / Double(cap)) }
                        return Double(weight) * (logarithm(capped) - capped[label])
                    }
                    expectClose(gradient, expected, "cross entropy of \(n) logits capped at \(cap), label \(label)")
                }
            }
        }
    }
}

/// log Σ exp(x)
private func logarithm(_ x: [Double]) -> Double {
    let top = x.max() ?? 0
    return top + log(x.reduce(0) { $0 + exp($1 - top) })
}
