import Editors
import Foundation
import LinearAlgebra
import TensorCore
import TestSupport
import Testing
import Transformer

/// The solve against normal equations in double precision, which are always of the primal form here.
@Suite struct RidgeSolutionTests {
    private static let keySize = 6, valueSize = 4, lambda: Float = 0.7

    /// Fewer rows than keySize, as many, and more: dual, dual and primal.
    static let rowCounts = [1, 3, 6, 7, 20]

    private struct Problem {
        let keys: Matrix, differences: Matrix
        let solution: RidgeSolution

        init(rows: Int) throws {
            keys = normals(rows, keySize, lane: 1)
            differences = normals(rows, valueSize, lane: 2)
            solution = try RidgeSolution(keys: keys, differences: differences, lambda: lambda)
        }

        /// S [k, v], whatever the form.
        var shift: Matrix { solution.form == .primal ? solution.solution : multiply(keys.transposed, solution.solution.operand) }

        /// E, taken in two parts, and ∂L/∂log λ.
        func backward(_ h: Matrix) -> (differences: Matrix, logLambda: Float) {
            let logLambda = solution.solveBackward(inPlace: h), middle = keys.rows / 2
            let parts = [0..<middle, middle..<keys.rows].map { solution.differenceGradients(h, rows: $0) }
            return (Matrix.stacked(parts, columns: valueSize), logLambda)
        }
    }

    @Test(arguments: rowCounts) func solvesTheNormalEquations(rows: Int) throws {
        let problem = try Problem(rows: rows)
        #expect(problem.solution.form == (rows > Self.keySize ? .primal : .dual))
        #expect(problem.solution.rows == (rows > Self.keySize ? Self.keySize : rows))
        let expected = ridge(problem.keys.doubles, problem.differences.doubles, lambda: Double(Self.lambda))
        expectClose(problem.shift, expected.flatMap { $0 }, "S of \(rows) rows")
    }

    /// The loss ⟨XᵀΓ, S⟩.
    @Test(arguments: rowCounts) func backwardIsTheDerivative(rows: Int) throws {
        let problem = try Problem(rows: rows), x = normals(9, Self.keySize, lane: 3), gradients = normals(9, Self.valueSize, lane: 4)
        let h = multiply(problem.solution.projector(x), gradients.operand)
        #expect(h.rows == problem.solution.rows && h.columns == Self.valueSize)
        let shiftGradient = multiply(x.transposed, gradients.operand)
        expectClose(problem.solution.projected(shiftGradient: shiftGradient), h.doubles.flatMap { $0 }, "H of \(rows) rows by ∂L/∂S")
        let found = problem.backward(h)

        let keys = problem.keys.doubles, differences = problem.differences.doubles
        let loss = product(transposed(x.doubles), gradients.doubles)
        let expected = centralDifferences(at: differences.flatMap { $0 }) {
            dot(loss, ridge(keys, matrix($0, columns: Self.valueSize), lambda: Double(Self.lambda)))
        }
        expectClose(found.differences, expected, "E of \(rows) rows")
        let slope = centralDifferences(at: [log(Double(Self.lambda))]) { dot(loss, ridge(keys, differences, lambda: exp($0[0]))) }
        #expect(abs(Double(found.logLambda) - slope[0]) < 1e-5 * max(1, abs(slope[0])), "∂L/∂log λ is \(found.logLambda), expected \(slope[0])")
    }

    /// The loss c ‖ΔW‖², whose gradient at what the model carries is 2 c ΔWᵀ.
    @Test(arguments: rowCounts) func normGradientIsTheDerivative(rows: Int) throws {
        let problem = try Problem(rows: rows), coefficient: Float = 0.3
        let carried = normals(Self.valueSize, Self.keySize, lane: 5)
        let edit = WeightEdit(keySize: Self.keySize, valueSize: Self.valueSize, factors: nil, dense: carried)
        let found = problem.backward(problem.solution.projectedNormGradient(edit, coefficient: coefficient))
        let loss = transposed(carried.doubles).map { $0.map { $0 * 2 * Double(coefficient) } }
        let expected = centralDifferences(at: problem.differences.doubles.flatMap { $0 }) {
            dot(loss, ridge(problem.keys.doubles, matrix($0, columns: Self.valueSize), lambda: Double(Self.lambda)))
        }
        expectClose(found.differences, expected, "E of \(rows) rows")
    }

    @Test func whatCannotBeSolvedThrows() {
        let keys = normals(4, 3, lane: 1), differences = normals(4, 2, lane: 2)
        keys[2, 1] = .nan
        #expect(throws: Cholesky.Failure.self) { try RidgeSolution(keys: keys, differences: differences, lambda: 1) }
        #expect(throws: Cholesky.Failure.self) { try RidgeSolution(keys: Matrix(rows: 2, columns: 3), differences: Matrix(rows: 2, columns: 2), lambda: 0) }
    }

    @Test func noRowsShiftNothing() throws {
        let solution = try RidgeSolution(keys: Matrix(rows: 0, columns: 3), differences: Matrix(rows: 0, columns: 2), lambda: 1)
        #expect(solution.rows == 0)
        #expect(solution.solveBackward(inPlace: Matrix(rows: 0, columns: 2)) == 0)
    }
}

/// (UᵀU + λI)⁻¹ UᵀD by Gaussian elimination.
private func ridge(_ keys: [[Double]], _ differences: [[Double]], lambda: Double) -> [[Double]] {
    let size = keys[0].count
    var system = zip(product(transposed(keys), keys), product(transposed(keys), differences)).map { $0 + $1 }
    for i in 0..<size { system[i][i] += lambda }
    for pivot in 0..<size {
        for row in 0..<size where row != pivot {
            let factor = system[row][pivot] / system[pivot][pivot]
            for column in pivot..<system[row].count { system[row][column] -= factor * system[pivot][column] }
        }
    }
    return (0..<size).map { row in system[row][size...].map { $0 / system[row][row] } }
}
