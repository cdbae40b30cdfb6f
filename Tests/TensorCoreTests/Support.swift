import CKernels
import TensorCore
import Testing

/// The kernel variants that this processor can run, slowest first. The choice among them belongs to the whole process, where other
/// tests run at the same time: a test that makes it does so in a process of its own (`processExitsWith`).
let kernelVariants: [String] = {
    let all = ["portable", "avx2", "avx512", "avx512bf16", "avx512amx"]
    return Array(all[...(all.firstIndex(of: String(cString: amend_kernel_variant())) ?? 0)])
}()

func useKernels(_ variant: String) {
    #expect(amend_kernel_select(variant) == 1, "\(variant) kernels were offered and cannot run")
    #expect(String(cString: amend_kernel_variant()) == variant)
}

/// Row widths around the sixteen lanes of the kernels.
let widths = [1, 2, 5, 15, 16, 17, 31, 32, 33, 100]

/// Standard normal numbers; `lane` tells draws apart.
func normals(_ count: Int, lane: UInt32, scale: Float = 1) -> [Float] {
    var numbers = [Float](repeating: 0, count: count)
    RandomStream(seed: 7, purpose: .tests, lane: lane).fillNormal(0..<count, into: &numbers)
    return numbers.map { $0 * scale }
}

extension Array where Element == Float {
    var doubles: [Double] { map(Double.init) }
    var bits: [UInt32] { map(\.bitPattern) }
}

/// ‖found − expected‖ / ‖expected‖; infinite where the lengths differ or a number is not finite.
func relativeError(_ found: [Float], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    let difference = zip(found, expected).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
    let size = expected.reduce(0) { $0 + $1 * $1 }
    let error = (difference / max(size, .leastNormalMagnitude)).squareRoot()
    return error.isFinite ? error : .infinity
}

func expectClose(_ found: [Float], _ expected: [Double], within tolerance: Double = 2e-6, _ what: String) {
    let error = relativeError(found, expected)
    #expect(error <= tolerance, "\(what): relative error \(error), at most \(tolerance)")
}

/// The gradient of `function` at `x` by central differences; with analytic functions of order one it is good to about 1e-9.
func centralDifferences(at x: [Double], step: Double = 1e-5, of function: ([Double]) -> Double) -> [Double] {
    x.indices.map { index in
        var high = x, low = x
        high[index] += step
        low[index] -= step
        return (function(high) - function(low)) / (2 * step)
    }
}

func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
