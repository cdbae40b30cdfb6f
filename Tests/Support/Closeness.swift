import TensorCore
import Testing

/// ‖found − expected‖ / ‖expected‖ over the elements in order; infinite where the counts differ or a number is not finite.
package func relativeError<Found: BinaryFloatingPoint, Expected: BinaryFloatingPoint>(_ found: [Found], _ expected: [Expected]) -> Double {
    guard found.count == expected.count else { return .infinity }
    let difference = zip(found, expected).reduce(0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    let size = expected.reduce(0) { $0 + Double($1) * Double($1) }
    let error = (difference / max(size, .leastNormalMagnitude)).squareRoot()
    return error.isFinite ? error : .infinity
}

package func expectClose<Found: BinaryFloatingPoint, Expected: BinaryFloatingPoint>(
    _ found: [Found], _ expected: [Expected], within tolerance: Double, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    let error = relativeError(found, expected)
    #expect(error <= tolerance, "\(what): relative error \(error), at most \(tolerance)", sourceLocation: sourceLocation)
}

/// Expects the same bits: zeros of either sign and NaNs are told apart.
package func expectSame(_ found: [Float], _ expected: [Float], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let different = zip(found, expected).count { $0.bitPattern != $1.bitPattern } + abs(found.count - expected.count)
    #expect(different == 0, "\(what): \(different) of \(expected.count) numbers have other bits", sourceLocation: sourceLocation)
}

/// Expects the same shape and the same bits.
package func expectSame(_ found: Matrix, _ expected: Matrix, _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(found.rows == expected.rows && found.columns == expected.columns, "\(what)", sourceLocation: sourceLocation)
    expectSame(found.elements, expected.elements, what, sourceLocation: sourceLocation)
}

/// The gradient of `function` at `x` by central differences; with analytic functions of order one it is good to about 1e-9.
package func centralDifferences(at x: [Double], step: Double = 1e-5, of function: ([Double]) throws -> Double) rethrows -> [Double] {
    try x.indices.map { index in
        var high = x, low = x
        high[index] += step
        low[index] -= step
        return (try function(high) - function(low)) / (2 * step)
    }
}
