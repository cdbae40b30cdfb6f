import CKernels
import Foundation
import TensorCore
import TestSupport
import Testing

/// Activations and soft caps against plain Double versions.
@Suite struct ActivationKernelTests {
    @Test(arguments: kernelVariants) func activations(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for activation in Activation.all {
                for n in widths {
                    checkGated(activation, n)
                    checkUngated(activation, n)
                }
            }
        }
    }

    /// Where e^x would leave the range of float32.
    @Test(arguments: kernelVariants) func extremes(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for activation in Activation.all { checkExtremes(activation) }
        }
    }

    /// tanh is a polynomial below 0.625 and made of an exponential above: element by element about that border, and for small numbers.
    @Test(arguments: kernelVariants) func softCap(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for cap in [1, 3, 30, 50] as [Float] {
                let ratios = [1e-30, 1e-6, 1e-3, 0.1, 0.3, 0.6, 0.62, 0.6249, 0.625, 0.6251, 0.63, 0.7, 1, 2, 4, 8, 10, 44, 100] as [Float]
                let x = (ratios + ratios.map { -$0 }).map { $0 * cap }
                for (number, found) in zip(x, capped(x, cap)) {
                    let expected = Double(cap) * tanh(Double(number) / Double(cap))
                    #expect(abs(Double(found) - expected) <= 3e-7 * abs(expected), "\(number) capped at \(cap) is \(found), not \(expected)")
                }
                #expect(capped([0, -0.0, 3e38, -3e38, .infinity, -.infinity], cap) == [0, 0, cap, -cap, cap, -cap])
                #expect(capped([.nan], cap)[0].isNaN)
            }
            for n in widths {
                let x = normals(n + 2, lane: 1, scale: 4)
                let found = capped(x, 3, count: n)
                expectClose(Array(found[..<n]), x[..<n].map { 3 * tanh(Double($0) / 3) }, within: 3e-7, "\(n) capped numbers")
                #expect(found[n...] == x[n...], "what lies beyond \(n) numbers stays")
            }
        }
    }
}

private func capped(_ x: [Float], _ cap: Float, count: Int? = nil) -> [Float] {
    var result = x
    amend_soft_cap(&result, count ?? x.count, cap)
    return result
}

private struct Activation: Sendable {
    let name: String
    let code: amend_activation
    let value: @Sendable (Double) -> Double

    static let all = [
        Activation(name: "silu", code: AMEND_SILU) { $0 / (1 + exp(-$0)) },
        Activation(name: "gelu", code: AMEND_GELU_TANH) { $0 / 2 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) },
    ]
}

private func checkGated(_ activation: Activation, _ n: Int) {
    let gate = normals(n, lane: 1, scale: 4), up = normals(n, lane: 2), gradient = normals(n, lane: 3), name = "\(activation.name) gate of \(n)"
    var out = gate, dGate = [Float](repeating: .nan, count: n), dUp = dGate
    amend_activation_forward(activation.code, &out, gate, up, n)
    amend_activation_backward(activation.code, &dGate, &dUp, gradient, gate, up, n)
    func forward(_ gate: [Double], _ up: [Double]) -> [Double] { zip(gate, up).map { activation.value($0) * $1 } }
    expectClose(out, forward(gate.doubles, up.doubles), within: 1e-6, name)
    expectClose(dGate, centralDifferences(at: gate.doubles) { dot(gradient.doubles, forward($0, up.doubles)) }, "\(name), backward to the gate")
    expectClose(dUp, centralDifferences(at: up.doubles) { dot(gradient.doubles, forward(gate.doubles, $0)) }, "\(name), backward to up")
}

private func checkUngated(_ activation: Activation, _ n: Int) {
    let x = normals(n, lane: 1, scale: 4), gradient = normals(n, lane: 3), name = "\(activation.name) of \(n)"
    var out = x, dx = [Float](repeating: .nan, count: n)
    amend_activation_forward(activation.code, &out, x, nil, n)
    amend_activation_backward(activation.code, &dx, nil, gradient, x, nil, n)
    expectClose(out, x.doubles.map(activation.value), within: 1e-6, name)
    expectClose(dx, centralDifferences(at: x.doubles) { dot(gradient.doubles, $0.map(activation.value)) }, "\(name), backward")
}

private func checkExtremes(_ activation: Activation) {
    let x: [Float] = [0, -0.0, 87, -87, 88.5, -88.5, 100, -100, 1e4, -1e4, 3e38, -3e38, .infinity, .nan]
    let up = [Float](repeating: 1, count: x.count)
    var gated = up, out = up, dGate = up, dUp = up, dx = up
    amend_activation_forward(activation.code, &gated, x, up, x.count)
    amend_activation_forward(activation.code, &out, x, nil, x.count)
    amend_activation_backward(activation.code, &dGate, &dUp, up, x, up, x.count)
    amend_activation_backward(activation.code, &dx, nil, up, x, nil, x.count)
    for (index, number) in x.prefix(10).enumerated() {
        let expected = activation.value(Double(number)), slope: Float = number > 0 ? 1 : number == 0 ? 0.5 : 0
        #expect(abs(Double(out[index]) - expected) <= 1e-6 * max(abs(expected), 1e-20), "\(activation.name)(\(number)) is \(out[index])")
        #expect(abs(dx[index] - slope) < 1e-6, "\(activation.name)'(\(number)) is \(dx[index])")
    }
    // silu' of −3e38 is a product of a subnormal and a huge number.
    if activation.code == AMEND_GELU_TANH { #expect(dx[10] == 1 && dx[11] == 0, "gelu' of the largest numbers is \(dx[10]) and \(dx[11])") }
    #expect(out[10] == 3e38 && out[11].isFinite && out[12] == .infinity && out[13].isNaN && dx[13].isNaN, "\(activation.name)")
    #expect(gated.map(\.isNaN) == out.map(\.isNaN) && zip(gated, out).allSatisfy { $0 == $1 || $0.isNaN }, "\(activation.name) times one")
    #expect(zip(dGate, dx).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN } && dUp.map(\.isNaN) == out.map(\.isNaN), "\(activation.name) times one")
}
