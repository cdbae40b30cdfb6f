import LinearAlgebra
import TensorCore
import TestSupport
import Testing

@Suite struct CholeskyTests {
    /// Right sides about the strips of 256 columns that are solved at a time.
    @Test(arguments: [(1, 1), (5, 3), (33, 600), (64, 256), (120, 257), (7, 0), (0, 3), (0, 0)]) func solves(size: Int, columns: Int) throws {
        let matrix = positiveDefinite(size), right = normals(size, columns, lane: 2)
        let expected = solution(matrix, right)
        let factor = try Cholesky(inPlace: matrix.copy())
        factor.solve(inPlace: right)
        let error = relativeError(right.elements, expected)
        #expect(error < 2e-6, "relative error \(error)")
    }

    @Test func refusesAnIndefiniteMatrix() throws {
        let matrix = positiveDefinite(20)
        matrix[12, 12] = -1
        let failure = try #require(throws: Cholesky.Failure.self) { try Cholesky(inPlace: matrix.copy()) }
        #expect(failure.size == 20 && failure.pivot == 13)
        #expect("\(failure)".contains("20 × 20") && "\(failure)".contains("pivot 13"))
        matrix.fill(0)
        #expect(throws: Cholesky.Failure.self) { try Cholesky(inPlace: matrix) }
    }

    /// A NaN or an infinity anywhere in the triangle that is read.
    @Test(arguments: [Float.nan, .infinity, -.infinity], [(0, 0), (30, 4), (30, 30), (99, 98), (99, 99)])
    func refusesWhatIsNotFinite(value: Float, place: (row: Int, column: Int)) {
        let matrix = positiveDefinite(100)
        matrix[place.row, place.column] = value
        matrix[place.column, place.row] = value
        #expect(throws: Cholesky.Failure.self) { try Cholesky(inPlace: matrix) }
    }

    @Test func threadsGiveTheSameBits() async {
        await #expect(processExitsWith: .success) {
            let solutions = try [1, 2, 3].map { threads in
                Threads.start(threads)
                let right = normals(150, 700, lane: 2)
                try Cholesky(inPlace: positiveDefinite(150)).solve(inPlace: right)
                return right
            }
            expectSame(solutions[1], solutions[0], "two threads against one")
            expectSame(solutions[2], solutions[0], "three threads against one")
        }
    }
}

/// X Xᵀ / size + I, whose condition number is about five.
private func positiveDefinite(_ size: Int) -> Matrix {
    let x = normals(size, size, lane: 1), matrix = multiply(x.operand, x.transposed)
    matrix.scale(by: 1 / Float(size))
    for i in 0..<size { matrix[i, i] += 1 }
    return matrix
}

/// matrix⁻¹ right by Gaussian elimination in double precision.
private func solution(_ matrix: Matrix, _ right: Matrix) -> [Double] {
    let size = matrix.rows
    var rows = (0..<size).map { i in
        (0..<size).map { Double(matrix[i, $0]) } + (0..<right.columns).map { Double(right[i, $0]) }
    }
    for pivot in 0..<size {
        for row in 0..<size where row != pivot {
            let factor = rows[row][pivot] / rows[pivot][pivot]
            guard factor != 0 else { continue }
            for column in pivot..<size + right.columns { rows[row][column] -= factor * rows[pivot][column] }
        }
    }
    return (0..<size).flatMap { i in rows[i][size...].map { $0 / rows[i][i] } }
}
