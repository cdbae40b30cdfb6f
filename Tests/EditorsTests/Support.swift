import Editors
import TensorCore
import TestSupport
import Testing
import Transformer

/// Standard normal elements; `lane` tells draws apart.
func normals(_ rows: Int, _ columns: Int, lane: UInt32, scale: Float = 1) -> Matrix { normals(rows, columns, seed: 19, lane: lane, scale: scale) }

extension Matrix {
    var doubles: [[Double]] { (0..<rows).map { row in (0..<columns).map { Double(self[row, $0]) } } }
}

func expectClose(
    _ found: Matrix, _ expected: [Double], within tolerance: Double = 5e-6, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose(found.elements, expected, within: tolerance, what, sourceLocation: sourceLocation)
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
