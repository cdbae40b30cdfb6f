import TensorCore
import TestSupport
import Testing

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

/// To the kernels' precision.
func expectClose(_ found: [Float], _ expected: [Double], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
    expectClose(found, expected, within: 2e-6, what, sourceLocation: sourceLocation)
}

func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
