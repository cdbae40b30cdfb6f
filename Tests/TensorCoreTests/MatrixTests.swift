import TensorCore
import Testing

@Suite struct MatrixTests {
    private let matrix = Matrix(rows: 3, columns: 2, [1, 2, 3, 4, 5, 6])

    @Test func rangesAndShapesShareTheElements() {
        matrix.rows(1..<3)[1, 0] = 50
        #expect(matrix.elements == [1, 2, 3, 4, 50, 6])
        matrix.reshaped(rows: 2, columns: 3)[0, 2] = 30
        #expect(matrix[1, 0] == 30)
        #expect(Matrix(view: matrix, offset: 1, rows: 1, columns: 2).elements == [2, 30])
        #expect(matrix.rows(1..<3).rows(1..<2).elements == [50, 6])
        #expect(matrix.rows(3..<3).elements.isEmpty)
    }

    @Test func copiesDoNot() {
        let copy = matrix.copy()
        copy[0, 0] = 9
        #expect(matrix[0, 0] == 1)
    }

    @Test func stackingKeepsTheOrder() {
        let stacked = Matrix.stacked([matrix.rows(2..<3), Matrix(rows: 0, columns: 2), matrix.rows(0..<1)], columns: 2)
        #expect(stacked.rows == 2 && stacked.elements == [5, 6, 1, 2])
    }

    @Test func arithmetic() {
        let other = Matrix(rows: 3, columns: 2, [1, 0, -1, 0, 1, 0])
        #expect(dot(matrix, other) == 3)
        matrix.add(other, times: 2)
        matrix.add(other)
        matrix.scale(by: 0.5)
        #expect(matrix.elements == [2, 1, 0, 2, 4, 3])
        #expect(matrix.sumOfSquares == 34)
    }

    /// Float sums of squares overflow above 1.8e19.
    @Test func sumsOfSquaresAreInDoublePrecision() {
        #expect(Matrix(rows: 1, columns: 2, [1e30, 1e-3]).sumOfSquares == Double(Float(1e30)) * Double(Float(1e30)))
    }
}
