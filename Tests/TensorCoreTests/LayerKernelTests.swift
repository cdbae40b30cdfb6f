import CKernels
import Foundation
import TensorCore
import Testing

/// RMS norm, rotary embedding and gated activation against plain Double versions.
@Suite struct LayerKernelTests {
    @Test(arguments: kernelVariants) func rmsNorm(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths { checkRMSNorm(n) }
        }
    }

    @Test(arguments: kernelVariants) func rotary(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths where n.isMultiple(of: 2) { checkRotary(n) }
        }
    }

    @Test(arguments: kernelVariants) func siluGate(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths { checkSiluGate(n) }
        }
    }

    /// Where e^x would leave the range of float32.
    @Test(arguments: kernelVariants) func siluGateOfExtremes(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let gate: [Float] = [0, -0.0, 87, -87, 88.5, -88.5, 100, -100, 1e4, -1e4, 3e38, -3e38, .infinity, .nan]
            let up = [Float](repeating: 1, count: gate.count)
            var out = up, dGate = up, dUp = up
            amend_silu_gate_forward(&out, gate, up, gate.count)
            amend_silu_gate_backward(&dGate, &dUp, up, gate, up, gate.count)
            for (index, g) in gate.prefix(10).enumerated() {
                let expected = silu(Double(g))
                #expect(abs(Double(out[index]) - expected) <= 1e-6 * max(abs(expected), 1e-20), "silu(\(g)) is \(out[index])")
                #expect(abs(dGate[index] - (g > 0 ? 1 : g == 0 ? 0.5 : 0)) < 1e-6, "silu'(\(g)) is \(dGate[index])")
            }
            #expect(out[10] == 3e38 && out[11].isFinite && out[12] == .infinity && out[13].isNaN && dGate[13].isNaN && dUp[13].isNaN)
        }
    }
}

private let epsilon: Float = 1e-3  // large, so that it matters

private func rmsNorm(_ x: [Double], _ weight: [Double]) -> [Double] {
    let size = (dot(x, x) / Double(x.count) + Double(epsilon)).squareRoot()
    return zip(x, weight).map { $0 / size * $1 }
}

private func checkRMSNorm(_ n: Int) {
    let x = normals(n, lane: 1, scale: 0.2), weight = normals(n, lane: 2), gradient = normals(n, lane: 3), before = normals(n, lane: 4)
    var out = x, dx = before
    amend_rms_norm_forward(&out, x, weight, n, epsilon)
    amend_rms_norm_backward(&dx, gradient, x, weight, n, epsilon)
    expectClose(out, rmsNorm(x.doubles, weight.doubles), "rms norm of \(n)")
    let expected = centralDifferences(at: x.doubles) { dot(gradient.doubles, rmsNorm($0, weight.doubles)) }
    expectClose(dx, zip(before.doubles, expected).map(+), "rms norm backward of \(n)")
}

private func checkRotary(_ n: Int) {
    let half = n / 2
    let x = normals(n, lane: 1), angles = normals(half, lane: 2, scale: 3).doubles
    let sines = angles.map { sin($0) }, cosines = angles.map { cos($0) }
    var turned = x
    amend_rotate_halves(&turned, cosines.map(Float.init), sines.map(Float.init), n, 0)
    let expected = (0..<n).map { i -> Double in
        let pair = i % half, a = Double(x[pair]), b = Double(x[pair + half])
        return i < half ? a * cosines[pair] - b * sines[pair] : b * cosines[pair] + a * sines[pair]
    }
    expectClose(turned, expected, within: 1e-6, "rotation of \(n)")
    amend_rotate_halves(&turned, cosines.map(Float.init), sines.map(Float.init), n, 1)
    expectClose(turned, x.doubles, within: 1e-6, "rotation of \(n) and back")
}

private func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }

private func checkSiluGate(_ n: Int) {
    let gate = normals(n, lane: 1, scale: 4), up = normals(n, lane: 2), gradient = normals(n, lane: 3)
    var out = gate, dGate = [Float](repeating: .nan, count: n), dUp = dGate
    amend_silu_gate_forward(&out, gate, up, n)
    amend_silu_gate_backward(&dGate, &dUp, gradient, gate, up, n)
    func forward(_ gate: [Double], _ up: [Double]) -> [Double] { zip(gate, up).map { silu($0) * $1 } }
    expectClose(out, forward(gate.doubles, up.doubles), within: 1e-6, "silu gate of \(n)")
    expectClose(dGate, centralDifferences(at: gate.doubles) { dot(gradient.doubles, forward($0, up.doubles)) }, "silu gate backward, gate of \(n)")
    expectClose(dUp, centralDifferences(at: up.doubles) { dot(gradient.doubles, forward(gate.doubles, $0)) }, "silu gate backward, up of \(n)")
}
