import LinearAlgebra
import TensorCore
import TestSupport
import Testing

@Suite struct PrincipalDirectionsTests {
    /// The matrix times a direction is that direction, longer; directions are orthonormal, and as few as hold the share.
    @Test(arguments: [(1, 0.5), (7, 0.5), (40, 0.9), (200, 0.3), (200, 0.999)]) func eigenvectorsHoldTheShare(size: Int, share: Double) throws {
        let rows = normals(size + 5, size, lane: 1)
        for row in 0..<rows.rows { rows.rows(row..<row + 1).scale(by: 1 / Float(1 + row)) }
        let matrix = multiply(rows.transposed, rows.operand), before = matrix.copy()
        let directions = try principalDirections(of: matrix, share: share)
        expectSame(matrix, before, "the matrix")
        let images = multiply(directions.operand, matrix.operand), products = multiply(directions.operand, directions.transposed)
        let values = (0..<directions.rows).map { Double(dot(images.rows($0..<$0 + 1), directions.rows($0..<$0 + 1))) }
        let trace = (0..<size).reduce(0.0) { $0 + Double(matrix[$1, $1]) }
        for i in 0..<directions.rows {
            for j in 0..<directions.rows { #expect(abs(products[i, j] - (i == j ? 1 : 0)) < 1e-5, "\(i) · \(j)") }
            let rest = images.rows(i..<i + 1).copy()
            rest.add(directions.rows(i..<i + 1), times: -Float(values[i]))
            #expect(rest.sumOfSquares.squareRoot() < 1e-5 * trace, "direction \(i)")
        }
        let sum = values.reduce(0, +)
        #expect(values == values.sorted() && sum >= (share - 1e-5) * trace && sum - values[0] < (share + 1e-5) * trace, "\(sum / trace)")
    }

    @Test func nothingHoldsNothing() throws {
        #expect(try principalDirections(of: normals(4, 4, lane: 1), share: 0).rows == 0)
        #expect(try principalDirections(of: Matrix(rows: 4, columns: 4), share: 0.5).rows == 0)
        #expect(try principalDirections(of: Matrix(rows: 0, columns: 0), share: 0.5).rows == 0)
    }

    @Test func whatIsNotFiniteHasNone() {
        let matrix = Matrix(rows: 4, columns: 4)
        matrix[2, 1] = .nan
        let failure = #expect(throws: EigenvalueFailure.self) { try principalDirections(of: matrix, share: 0.5) }
        #expect(failure.map { "\($0)".contains("4 × 4 matrix were not found: it is not finite") } == true)
    }
}
