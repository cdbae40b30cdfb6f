import Editors
import TensorCore
import Testing
import Transformer

/// Standard normal elements; `lane` tells draws apart.
func normals(_ rows: Int, _ columns: Int, lane: UInt32, scale: Float = 1) -> Matrix {
    let matrix = Matrix(rows: rows, columns: columns)
    RandomStream(seed: 19, purpose: .tests, lane: lane).fillNormal(0..<matrix.count, into: matrix.pointer)
    matrix.scale(by: scale)
    return matrix
}

extension Matrix {
    var doubles: [[Double]] { (0..<rows).map { row in (0..<columns).map { Double(self[row, $0]) } } }
}

/// ‖found − expected‖ / ‖expected‖ over the elements in order; infinite where the counts differ or a number is not finite.
func relativeError(_ found: [Float], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    let difference = zip(found, expected).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
    let size = expected.reduce(0) { $0 + $1 * $1 }
    let error = (difference / max(size, .leastNormalMagnitude)).squareRoot()
    return error.isFinite ? error : .infinity
}

func expectClose(_ found: Matrix, _ expected: [Double], within tolerance: Double = 5e-6, _ what: String) {
    let error = relativeError(found.elements, expected)
    #expect(error <= tolerance, "\(what): relative error \(error), at most \(tolerance)")
}

/// Expects the same bits: zeros of either sign and NaNs are told apart.
func expectSame(_ found: Matrix, _ expected: Matrix, _ what: String) {
    #expect(found.rows == expected.rows && found.columns == expected.columns)
    let different = zip(found.elements, expected.elements).count { $0.bitPattern != $1.bitPattern }
    #expect(different == 0, "\(what): \(different) of \(expected.count) elements have other bits")
}

/// The gradient of `function` at `x` by central differences.
func centralDifferences(at x: [Double], step: Double = 1e-5, of function: ([Double]) throws -> Double) rethrows -> [Double] {
    try x.indices.map { index in
        var high = x, low = x
        high[index] += step
        low[index] -= step
        return (try function(high) - function(low)) / (2 * step)
    }
}

/// Σ x y over all elements.
func dot(_ x: [[Double]], _ y: [[Double]]) -> Double { zip(x, y).reduce(0) { $0 + zip($1.0, $1.1).reduce(0) { $0 + $1.0 * $1.1 } } }

func transposed(_ x: [[Double]]) -> [[Double]] { (x.first ?? []).indices.map { column in x.map { $0[column] } } }

func product(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
    let columns = transposed(b)
    return a.map { row in columns.map { column in zip(row, column).reduce(0) { $0 + $1.0 * $1.1 } } }
}

/// `flat` cut into rows of `columns`.
func matrix(_ flat: [Double], columns: Int) -> [[Double]] {
    stride(from: 0, to: flat.count, by: columns).map { Array(flat[$0..<$0 + columns]) }
}
