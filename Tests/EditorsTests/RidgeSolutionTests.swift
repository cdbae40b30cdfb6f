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

    /// For other differences, the last row's zero, without making the system again.
    @Test(arguments: rowCounts) func solvesForOtherDifferencesToo(rows: Int) throws {
        let problem = try Problem(rows: rows), others = normals(rows, Self.valueSize, lane: 5)
        others.rows(rows - 1..<rows).fill(0)
        let found = try #require(problem.solution.replacing(differences: others.rows(0..<rows - 1)) as? RidgeSolution)
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
        let keys: Matrix, differences: Matrix, contrast: Matrix?, moment: [[Double]]?
        let solution: RidgeSolution

        init(rows: Int, contrasts: Int, hasBackground: Bool) throws {
            keys = normals(rows, keySize, lane: 1)
            differences = normals(rows, valueSize, lane: 2)
            contrast = contrasts > 0 ? normals(contrasts, keySize, lane: 6) : nil
            var system = ShiftSystem(keys: keys, made: ReadoutRows(differences: differences), lambda: lambda)
            system.contrast = contrast
            var moment: [[Double]]?
            if hasBackground {
                let text = normals(9, keySize, lane: 7), sum = multiply(text.transposed, text.operand)
                moment = sum.doubles.enumerated().map { i, row in row.enumerated().map { j, x in x * Double(weight) / 9 + (i == j ? 1 : 0) } }
                system.background = try Background(sum: sum, count: 9, weight: weight)
            }
            self.moment = moment
            solution = try #require(try RidgeRule().solve(system) as? RidgeSolution)
        }

        func expected(_ differences: [[Double]], lambda: Double = Double(lambda)) -> [[Double]] {
            let others = contrast?.doubles ?? [], zeros = others.map { _ in [Double](repeating: 0, count: valueSize) }
            return ridge(keys.doubles + others, differences + zeros, lambda: lambda, moment: moment)
        }
    }

    /// Edit rows, contrast rows, whether plain text counts: dual and primal of each.
    static let problems = [(2, 0, true), (2, 3, true), (2, 3, false), (5, 4, true), (5, 4, false), (12, 0, true)]

    @Test(arguments: problems) func solvesTheNormalEquations(rows: Int, contrasts: Int, hasBackground: Bool) throws {
        let problem = try Problem(rows: rows, contrasts: contrasts, hasBackground: hasBackground), solution = problem.solution
        #expect(solution.form == (rows + contrasts > Self.keySize ? .primal : .dual))
        let shift = solution.form == .primal ? solution.solution : multiply(solution.shiftKeys.transposed, solution.solution.operand)
        expectClose(shift, problem.expected(problem.differences.doubles).flatMap { $0 }, "S")
    }

    /// The loss ⟨XᵀΓ, S⟩, with respect to the edit's value differences and log λ.
    @Test(arguments: problems) func backwardIsTheDerivative(rows: Int, contrasts: Int, hasBackground: Bool) throws {
        let problem = try Problem(rows: rows, contrasts: contrasts, hasBackground: hasBackground), solution = problem.solution
        let x = normals(9, Self.keySize, lane: 3), gradients = normals(9, Self.valueSize, lane: 4)
        let h = multiply(solution.projector(x), gradients.operand), loss = product(transposed(x.doubles), gradients.doubles)
        expectClose(solution.projected(shiftGradient: multiply(x.transposed, gradients.operand)), h.doubles.flatMap { $0 }, "H by ∂L/∂S")
        let logLambda = solution.solveBackward(inPlace: h), found = solution.differenceGradients(h, rows: 0..<rows)
        let expected = centralDifferences(at: problem.differences.doubles.flatMap { $0 }) { dot(loss, problem.expected(matrix($0, columns: Self.valueSize))) }
        expectClose(found, expected, "E")
        let slope = centralDifferences(at: [log(Double(Self.lambda))]) { dot(loss, problem.expected(problem.differences.doubles, lambda: exp($0[0]))) }
        #expect(abs(Double(logLambda) - slope[0]) < 1e-5 * max(1, abs(slope[0])), "∂L/∂log λ is \(logLambda), expected \(slope[0])")
    }

    @Test(arguments: problems) func normGradientIsTheDerivative(rows: Int, contrasts: Int, hasBackground: Bool) throws {
        let problem = try Problem(rows: rows, contrasts: contrasts, hasBackground: hasBackground), carried = normals(Self.valueSize, Self.keySize, lane: 5)
        let edit = WeightEdit(keySize: Self.keySize, valueSize: Self.valueSize, factors: nil, dense: carried)
        let h = problem.solution.projectedNormGradient(edit, coefficient: 0.3)
        _ = problem.solution.solveBackward(inPlace: h)
        let loss = transposed(carried.doubles).map { $0.map { $0 * 2 * Double(Float(0.3)) } }
        let expected = centralDifferences(at: problem.differences.doubles.flatMap { $0 }) { dot(loss, problem.expected(matrix($0, columns: Self.valueSize))) }
        expectClose(problem.solution.differenceGradients(h, rows: 0..<rows), expected, "E")
    }

    /// What is held beside plain text counts as if it had been among it, by itself and not as a mean.
    @Test(arguments: [2, 12]) func heldKeysJoinTheBackground(rows: Int) throws {
        let keys = normals(rows, Self.keySize, lane: 1), differences = normals(rows, Self.valueSize, lane: 2), held = normals(4, Self.keySize, lane: 6)
        var system = ShiftSystem(keys: keys, made: ReadoutRows(differences: differences), lambda: Self.lambda)
        system.background = try Background(keySize: Self.keySize).holding(HeldKeys(rows: held, moment: nil), weight: Self.weight)
        let solution = try #require(try RidgeRule().solve(system) as? RidgeSolution)
        let moment = product(transposed(held.doubles), held.doubles).enumerated().map { i, row in
            row.enumerated().map { j, x in x * Double(Self.weight) + (i == j ? 1 : 0) }
        }
        let shift = solution.form == .primal ? solution.solution : multiply(solution.shiftKeys.transposed, solution.solution.operand)
        expectClose(shift, ridge(keys.doubles, differences.doubles, lambda: Double(Self.lambda), moment: moment).flatMap { $0 }, "S")
    }

    // MARK: Directions that are left alone altogether

    /// Orthonormal rows, and text whose keys are along them: 16, 8, 4, … of what it is like is along each.
    private static let (directions, text): ([[Double]], Matrix) = {
        var rows: [[Double]] = []
        for row in normals(keySize, keySize, lane: 8).doubles {
            let rest = rows.reduce(row) { rest, one in zip(rest, one).map { $0 - zip(one, row).reduce(0) { $0 + $1.0 * $1.1 } * $1 } }
            let length = rest.reduce(0) { $0 + $1 * $1 }.squareRoot()
            rows.append(rest.map { $0 / length })
        }
        let text = Matrix(rows: keySize, columns: keySize)
        for i in 0..<keySize { for j in 0..<keySize { text[i, j] = Float(rows[i][j] * pow(2, -Double(i) / 2) * 4) } }
        return (rows, text)
    }()

    private static func untouching(_ share: Double, weight: Float) throws -> Background {
        try Background(sum: multiply(text.transposed, text.operand), count: keySize, weight: weight, share: share)
    }

    /// What is left of a solution when it is sought among those that have nothing of the first `count` directions.
    private static func expected(_ keys: Matrix, _ differences: [[Double]], without count: Int, weight: Float, lambda: Double = Double(lambda)) -> [[Double]] {
        let left = Array(directions[count...])
        let moment = product(transposed(text.doubles), text.doubles).enumerated().map { i, row in
            row.enumerated().map { j, x in x * Double(weight) / Double(keySize) + (i == j ? 1 : 0) }
        }
        let inner = ridge(product(keys.doubles, transposed(left)), differences, lambda: lambda, moment: product(product(left, moment), transposed(left)))
        return product(transposed(left), inner)
    }

    /// Rows, the share, how many directions hold it, μ. Of 63 parts 32 are along the first, 48 along the first two, 56 along three.
    static let untouched: [(Int, Double, Int, Float)] = [(2, 0.4, 1, 0), (2, 0.6, 2, 3), (12, 0.6, 2, 0), (12, 0.8, 3, 3), (4, 0.99, 6, 0)]

    @Test(arguments: untouched) func largestDirectionsAreNotTouched(rows: Int, share: Double, count: Int, weight: Float) throws {
        let keys = normals(rows, Self.keySize, lane: 1), differences = normals(rows, Self.valueSize, lane: 2)
        var system = ShiftSystem(keys: keys, made: ReadoutRows(differences: differences), lambda: Self.lambda)
        system.background = try Self.untouching(share, weight: weight)
        let solution = try #require(try RidgeRule().solve(system) as? RidgeSolution)
        let shift = solution.form == .primal ? solution.solution : multiply(solution.shiftKeys.transposed, solution.solution.operand)
        if count == Self.keySize { return #expect(shift.elements.allSatisfy { abs($0) < 1e-5 }) }
        expectClose(shift, Self.expected(keys, differences.doubles, without: count, weight: weight).flatMap { $0 }, "S")
        let along = product(Array(Self.directions[..<count]), shift.doubles).flatMap { $0 }
        #expect(along.allSatisfy { abs($0) < 1e-5 }, "\(along)")

        let x = normals(9, Self.keySize, lane: 3), gradients = normals(9, Self.valueSize, lane: 4)
        let h = multiply(solution.projector(x), gradients.operand), loss = product(transposed(x.doubles), gradients.doubles)
        let logLambda = solution.solveBackward(inPlace: h), found = solution.differenceGradients(h, rows: 0..<rows)
        let slopes = centralDifferences(at: differences.doubles.flatMap { $0 }) {
            dot(loss, Self.expected(keys, matrix($0, columns: Self.valueSize), without: count, weight: weight))
        }
        expectClose(found, slopes, "E")
        let slope = centralDifferences(at: [log(Double(Self.lambda))]) {
            dot(loss, Self.expected(keys, differences.doubles, without: count, weight: weight, lambda: exp($0[0])))
        }
        #expect(abs(Double(logLambda) - slope[0]) < 1e-5 * max(1, abs(slope[0])), "∂L/∂log λ is \(logLambda), expected \(slope[0])")
    }

    /// The stronger the hold, the less what it holds moves.
    @Test func whatIsHeldMovesLess() throws {
        let keys = normals(2, Self.keySize, lane: 1), made = ReadoutRows(differences: normals(2, Self.valueSize, lane: 2)), held = normals(2, Self.keySize, lane: 6)
        let moved = try [0, 1, 100].map { (weight: Float) in
            var system = ShiftSystem(keys: keys, made: made, lambda: Self.lambda)
            let rows = held.copy()
            rows.scale(by: weight.squareRoot())
            system.contrast = rows
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
