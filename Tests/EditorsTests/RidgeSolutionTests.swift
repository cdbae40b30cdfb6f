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

    /// For other differences, without making the system again.
    @Test(arguments: rowCounts) func solvesForOtherDifferencesToo(rows: Int) throws {
        let problem = try Problem(rows: rows), others = normals(rows, Self.valueSize, lane: 5)
        let found = try #require(problem.solution.replacing(differences: others) as? RidgeSolution)
        let expected = try RidgeSolution(keys: problem.keys, differences: others, lambda: Self.lambda)
        #expect(found.solution.elements == expected.solution.elements && found.solution.elements != problem.solution.solution.elements)
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

/// A shift that plain text and other subjects hold, against normal equations in double precision.
@Suite struct PreservationTests {
    private static let keySize = 6, valueSize = 4, lambda: Float = 0.7, weight: Float = 3

    private struct Problem {
        let keys: Matrix, differences: Matrix, moment: [[Double]]?
        let solution: RidgeSolution

        init(rows: Int, held: Int, hasBackground: Bool) throws {
            keys = normals(rows, keySize, lane: 1)
            differences = normals(rows, valueSize, lane: 2)
            var system = ShiftSystem(keys: keys, made: ReadoutRows(differences: differences), lambda: lambda)
            var moment = (0..<keySize).map { i in (0..<keySize).map { $0 == i ? 1.0 : 0 } }
            func add(_ keys: Matrix, times factor: Double) {
                for (i, row) in product(transposed(keys.doubles), keys.doubles).enumerated() { for (j, x) in row.enumerated() { moment[i][j] += factor * x } }
            }
            if hasBackground {
                let text = normals(9, keySize, lane: 7)
                add(text, times: Double(weight) / 9)
                system.background = try Background(sum: multiply(text.transposed, text.operand), count: 9, weight: weight)
            }
            // Held by itself and not as a mean, as it came and as a second moment.
            if held > 0 {
                let rows = normals(held, keySize, lane: 6), others = normals(2, keySize, lane: 8)
                for keys in [rows, others] { add(keys, times: 0.5) }
                let all: [(HeldKeys, Float)] = [(HeldKeys(rows), 0.5), (HeldKeys(rows: nil, moment: multiply(others.transposed, others.operand)), 0.5)]
                system.background = try (system.background ?? Background(keySize: keySize)).holding(all)
            }
            self.moment = hasBackground || held > 0 ? moment : nil
            solution = try #require(try RidgeRule().solve(system) as? RidgeSolution)
        }

        func expected(_ differences: [[Double]], lambda: Double = Double(lambda)) -> [[Double]] {
            ridge(keys.doubles, differences, lambda: lambda, moment: moment)
        }
    }

    /// Edit rows, keys that are held, whether plain text counts: dual and primal of each.
    static let problems = [(2, 0, true), (2, 3, true), (2, 3, false), (12, 4, true), (12, 4, false), (12, 0, true)]

    @Test(arguments: problems) func solvesTheNormalEquations(rows: Int, held: Int, hasBackground: Bool) throws {
        let problem = try Problem(rows: rows, held: held, hasBackground: hasBackground), solution = problem.solution
        #expect(solution.form == (rows > Self.keySize ? .primal : .dual))
        let shift = solution.form == .primal ? solution.solution : multiply(solution.shiftKeys.transposed, solution.solution.operand)
        expectClose(shift, problem.expected(problem.differences.doubles).flatMap { $0 }, "S")
    }

    /// The loss ⟨XᵀΓ, S⟩, with respect to the edit's value differences and log λ.
    @Test(arguments: problems) func backwardIsTheDerivative(rows: Int, held: Int, hasBackground: Bool) throws {
        let problem = try Problem(rows: rows, held: held, hasBackground: hasBackground), solution = problem.solution
        let x = normals(9, Self.keySize, lane: 3), gradients = normals(9, Self.valueSize, lane: 4)
        let h = multiply(solution.projector(x), gradients.operand), loss = product(transposed(x.doubles), gradients.doubles)
        expectClose(solution.projected(shiftGradient: multiply(x.transposed, gradients.operand)), h.doubles.flatMap { $0 }, "H by ∂L/∂S")
        let logLambda = solution.solveBackward(inPlace: h), found = solution.differenceGradients(h, rows: 0..<rows)
        let expected = centralDifferences(at: problem.differences.doubles.flatMap { $0 }) { dot(loss, problem.expected(matrix($0, columns: Self.valueSize))) }
        expectClose(found, expected, "E")
        let slope = centralDifferences(at: [log(Double(Self.lambda))]) { dot(loss, problem.expected(problem.differences.doubles, lambda: exp($0[0]))) }
        #expect(abs(Double(logLambda) - slope[0]) < 1e-5 * max(1, abs(slope[0])), "∂L/∂log λ is \(logLambda), expected \(slope[0])")
    }

    @Test(arguments: problems) func normGradientIsTheDerivative(rows: Int, held: Int, hasBackground: Bool) throws {
        let problem = try Problem(rows: rows, held: held, hasBackground: hasBackground), carried = normals(Self.valueSize, Self.keySize, lane: 5)
        let edit = WeightEdit(keySize: Self.keySize, valueSize: Self.valueSize, factors: nil, dense: carried)
        let h = problem.solution.projectedNormGradient(edit, coefficient: 0.3)
        _ = problem.solution.solveBackward(inPlace: h)
        let loss = transposed(carried.doubles).map { $0.map { $0 * 2 * Double(Float(0.3)) } }
        let expected = centralDifferences(at: problem.differences.doubles.flatMap { $0 }) { dot(loss, problem.expected(matrix($0, columns: Self.valueSize))) }
        expectClose(problem.solution.differenceGradients(h, rows: 0..<rows), expected, "E")
    }

    /// The stronger the hold, the less what it holds moves.
    @Test func whatIsHeldMovesLess() throws {
        let keys = normals(2, Self.keySize, lane: 1), made = ReadoutRows(differences: normals(2, Self.valueSize, lane: 2)), held = normals(2, Self.keySize, lane: 6)
        let moved = try [0, 1, 100].map { (weight: Float) in
            var system = ShiftSystem(keys: keys, made: made, lambda: Self.lambda)
            system.background = try Background(keySize: Self.keySize).holding([(HeldKeys(held), weight)])
            let solution = try #require(try RidgeRule().solve(system) as? RidgeSolution)
            return multiply(multiply(held.operand, solution.shiftKeys.transposed).operand, solution.solution.operand).sumOfSquares
        }
        #expect(moved[0] > 2 * moved[1] && moved[1] > 100 * moved[2], "\(moved)")
    }
}

/// (UᵀU + λM)⁻¹ UᵀD by Gaussian elimination; M is I where it is not given.
private func ridge(_ keys: [[Double]], _ differences: [[Double]], lambda: Double, moment: [[Double]]? = nil) -> [[Double]] {
    let size = keys[0].count
    var system = zip(product(transposed(keys), keys), product(transposed(keys), differences)).map { $0 + $1 }
    for i in 0..<size { for j in 0..<size { system[i][j] += lambda * (moment?[i][j] ?? (i == j ? 1 : 0)) } }
    for pivot in 0..<size {
        for row in 0..<size where row != pivot {
            let factor = system[row][pivot] / system[pivot][pivot]
            for column in pivot..<system[row].count { system[row][column] -= factor * system[pivot][column] }
        }
    }
    return (0..<size).map { row in system[row][size...].map { $0 / system[row][row] } }
}
