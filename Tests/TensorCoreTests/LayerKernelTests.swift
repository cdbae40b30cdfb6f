import CKernels
import Foundation
import TensorCore
import TestSupport
import Testing

/// Norms and rotary embeddings against plain Double versions.
@Suite struct LayerKernelTests {
    @Test(arguments: kernelVariants) func rmsNorm(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths { checkRMSNorm(n) }
        }
    }

    @Test(arguments: kernelVariants) func layerNorm(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths { checkLayerNorm(n) }
        }
    }

    @Test(arguments: kernelVariants) func rotary(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths where n.isMultiple(of: 2) {
                checkRotary("halves", amend_rotate_halves, n) { ($0, $0 + n / 2) }
                checkRotary("pairs", amend_rotate_pairs, n) { (2 * $0, 2 * $0 + 1) }
            }
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

private func layerNorm(_ x: [Double], _ weight: [Double], _ bias: [Double]) -> [Double] {
    let mean = x.reduce(0, +) / Double(x.count), centred = x.map { $0 - mean }
    let size = (dot(centred, centred) / Double(x.count) + Double(epsilon)).squareRoot()
    return zip(zip(centred, weight), bias).map { $0.0 / size * $0.1 + $1 }
}

private func checkLayerNorm(_ n: Int) {
    let x = normals(n, lane: 1, scale: 0.2).map { $0 + 0.5 }  // the mean matters
    let weight = normals(n, lane: 2), bias = normals(n, lane: 5), gradient = normals(n, lane: 3), before = normals(n, lane: 4)
    var out = x, dx = before
    amend_layer_norm_forward(&out, x, weight, bias, n, epsilon)
    amend_layer_norm_backward(&dx, gradient, x, weight, n, epsilon)
    expectClose(out, layerNorm(x.doubles, weight.doubles, bias.doubles), "layer norm of \(n)")
    let expected = centralDifferences(at: x.doubles) { dot(gradient.doubles, layerNorm($0, weight.doubles, bias.doubles)) }
    expectClose(dx, zip(before.doubles, expected).map(+), "layer norm backward of \(n)")
}

/// Turns the first `n` elements of a longer head, `pair(i)` by angle i.
private func checkRotary(
    _ name: String, _ rotate: (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?, Int, Int32) -> Void, _ n: Int,
    pair: (Int) -> (Int, Int)
) {
    let x = normals(n + 3, lane: 1), angles = normals(n / 2, lane: 2, scale: 3).doubles
    let sines = angles.map { sin($0) }, cosines = angles.map { cos($0) }
    var turned = x, expected = x.doubles
    for i in 0..<n / 2 {
        let (first, second) = pair(i), a = Double(x[first]), b = Double(x[second])
        expected[first] = a * cosines[i] - b * sines[i]
        expected[second] = b * cosines[i] + a * sines[i]
    }
    rotate(&turned, cosines.map(Float.init), sines.map(Float.init), n, 0)
    expectClose(Array(turned[..<n]), Array(expected[..<n]), within: 1e-6, "rotation of \(n) in \(name)")
    rotate(&turned, cosines.map(Float.init), sines.map(Float.init), n, 1)
    expectClose(turned, x.doubles, within: 1e-6, "rotation of \(n) in \(name) and back")
    #expect(turned[n...] == x[n...], "what lies beyond \(n) elements stays")
}
