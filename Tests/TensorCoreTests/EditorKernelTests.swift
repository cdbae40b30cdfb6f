import CKernels
import Foundation
import TensorCore
import TestSupport
import Testing

/// The rows of a hypernetwork, and Adam.
@Suite struct EditorKernelTests {
    @Test(arguments: kernelVariants) func block(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths { checkBlock(n) }
        }
    }

    /// B and bias start at zero and would never learn if the derivative of max(0, x) there were zero.
    @Test(arguments: kernelVariants) func derivativeAtZeroIsOne(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let pre: [Float] = [0, -0.0, 1, -1, .leastNonzeroMagnitude, -.leastNonzeroMagnitude], n = pre.count
            var g = [Float](repeating: .nan, count: n), dScale = [Float](repeating: 0, count: n), dShift = dScale, dBias = dScale
            amend_block_backward(&g, &dScale, &dShift, &dBias, Array(repeating: 2, count: n), pre, Array(repeating: 3, count: n), n)
            #expect(g == [6, 6, 6, 0, 6, 0] && dBias == g)
        }
    }

    @Test(arguments: kernelVariants) func standardize(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths {
                let x = normals(n, lane: 1), mean = normals(n, lane: 2), deviation = normals(n, lane: 3).map { abs($0) + 0.1 }, epsilon: Float = 0.01
                var z = x
                amend_standardize(&z, x, mean, deviation, epsilon, n)
                let centred = zip(x.doubles, mean.doubles).map(-)
                let expected = zip(centred, deviation.doubles).map { $0 / ($1 + Double(epsilon)) }
                expectClose(z, expected, within: 1e-6, "standardizing \(n)")
            }
        }
    }

    @Test(arguments: kernelVariants) func adam(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths { checkAdam(n) }
        }
    }
}

private func checkBlock(_ n: Int) {
    let z = normals(n, lane: 1), raw = normals(n, lane: 2), bias = normals(n, lane: 3), scale = normals(n, lane: 4), shift = normals(n, lane: 5)
    let gradient = normals(n, lane: 6), before = (7..<10).map { normals(n, lane: $0) }
    var out = z, pre = raw
    amend_block_forward(&out, z, &pre, bias, scale, shift, n)
    var g = [Float](repeating: .nan, count: n), dScale = before[0], dShift = before[1], dBias = before[2]
    amend_block_backward(&g, &dScale, &dShift, &dBias, gradient, pre, scale, n)

    func forward(_ raw: [Double], _ bias: [Double], _ scale: [Double], _ shift: [Double]) -> [Double] {
        (0..<n).map { i -> Double in
            let active = max(0, raw[i] + bias[i])
            return Double(z[i]) + scale[i] * active + shift[i]
        }
    }
    let (r, b, c, s) = (raw.doubles, bias.doubles, scale.doubles, shift.doubles)
    expectClose(pre, zip(r, b).map(+), within: 1e-6, "the block's preactivations, \(n)")
    expectClose(out, forward(r, b, c, s), within: 1e-6, "the block of \(n)")
    func expected(_ x: [Double], plus before: [Float]? = nil, _ forward: ([Double]) -> [Double]) -> [Double] {
        let gradient = centralDifferences(at: x) { dot(gradient.doubles, forward($0)) }
        return before.map { zip($0.doubles, gradient).map(+) } ?? gradient
    }
    let name = "block backward of \(n)"
    let dRaw = expected(r) { forward($0, b, c, s) }
    if dot(dRaw, dRaw) > 0 { expectClose(g, dRaw, name + ", preactivation") }
    expectClose(dScale, expected(c, plus: before[0]) { forward(r, b, $0, s) }, name + ", scale")
    expectClose(dShift, expected(s, plus: before[1]) { forward(r, b, c, $0) }, name + ", shift")
    expectClose(dBias, expected(b, plus: before[2]) { forward(r, $0, c, s) }, name + ", bias")
}

/// Algorithm 1 of arXiv 1412.6980, five steps.
private func checkAdam(_ n: Int) {
    let rate: Float = 0.01, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-3
    var parameter = normals(n, lane: 1), m = [Float](repeating: 0, count: n), v = m
    let start = parameter.doubles
    var change = [Double](repeating: 0, count: n), first = change, second = change
    for step in 1...5 {
        let gradient = normals(n, lane: UInt32(10 + step), scale: 0.1)
        let correction1 = 1 - pow(Double(beta1), Double(step)), correction2 = 1 - pow(Double(beta2), Double(step))
        amend_adam(&parameter, &m, &v, gradient, n, rate, beta1, beta2, epsilon, correction1, correction2)
        for (i, g) in gradient.doubles.enumerated() {
            first[i] += (1 - Double(beta1)) * (g - first[i])
            second[i] += (1 - Double(beta2)) * (g * g - second[i])
            let root = (second[i] / correction2).squareRoot() + Double(epsilon)
            change[i] -= Double(rate) * (first[i] / correction1) / root
        }
    }
    expectClose(m, first, "Adam's first moment of \(n)")
    expectClose(v, second, within: 5e-5, "Adam's second moment of \(n)")  // 1 − 0.999 has few digits in float32
    expectClose(zip(parameter.doubles, start).map { Float($0 - $1) }, change, within: 5e-5, "Adam's steps of \(n)")
}
