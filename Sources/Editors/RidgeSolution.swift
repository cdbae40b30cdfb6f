import LinearAlgebra
import TensorCore
import Transformer

/// The parameter shift S [k, v] that minimises ‖U S − D‖² + λ‖S‖² for keys U [n, k] and value differences D [n, v], and the
/// gradient back through it (MALMEN, arXiv 2311.04661).
///
///     dual    (n ≤ k)   S = Uᵀ P,  P = (U Uᵀ + λI)⁻¹ D                 S stays two thin factors
///     primal  (n > k)   S = (Uᵀ U + λI)⁻¹ Uᵀ D
///
/// Backward needs ∂L/∂S only through H: in the dual form H = U ∂L/∂S [n, v], in the primal H = ∂L/∂S [k, v] itself.
///
/// The factor costs n³ / 3 operations in the dual form and k³ / 3 in the primal: in both no more than k² / 3 for each row, and the solves with
/// it no more than 2 k v each.
package struct RidgeSolution: Sendable {
    package enum Form: Sendable { case primal, dual }

    package let keys: Matrix  // U [n, k]
    package let lambda: Float
    package let form: Form
    private let factor: Cholesky
    /// P [n, v] in the dual form, S [k, v] in the primal.
    package let solution: Matrix

    /// The form that a system of `rows` rows takes.
    package static func form(rows: Int, keySize: Int) -> Form { rows > keySize ? .primal : .dual }

    package init(keys: Matrix, differences: Matrix, lambda: Float) throws {
        precondition(keys.rows == differences.rows, "\(keys.rows) keys and \(differences.rows) value differences")
        self.keys = keys
        self.lambda = lambda
        form = Self.form(rows: keys.rows, keySize: keys.columns)
        let gram: Matrix
        switch form {
        case .dual:
            gram = multiply(keys.operand, keys.transposed)
            solution = differences.copy()
        case .primal:
            gram = multiply(keys.transposed, keys.operand)
            solution = multiply(keys.transposed, differences.operand)
        }
        for i in 0..<gram.rows { gram[i, i] += lambda }
        factor = try Cholesky(inPlace: gram)
        factor.solve(inPlace: solution)
    }

    /// The size of the H that `backward` takes.
    package var rows: Int { solution.rows }

    /// The rows X [m, k] and Γ [m, v] of a backward pass add this · Γ to H.
    package func projector(_ x: Matrix) -> Operand {
        switch form {
        case .dual: multiply(keys.operand, x.transposed).operand
        case .primal: x.transposed
        }
    }

    /// H from ∂L/∂S [k, v].
    package func projected(shiftGradient: Matrix) -> Matrix {
        switch form {
        case .dual: multiply(keys.operand, shiftGradient.operand)
        case .primal: shiftGradient.copy()
        }
    }

    /// What coefficient · ‖ΔW‖² adds to H, for all that `edit` carries: 2 · coefficient · U ΔWᵀ, or 2 · coefficient · ΔWᵀ.
    package func projectedNormGradient(_ edit: WeightEdit, coefficient: Float) -> Matrix {
        let h: Matrix
        switch form {
        case .dual: h = edit.applied(to: keys)
        case .primal: h = edit.transposedShift()
        }
        h.scale(by: 2 * coefficient)
        return h
    }

    /// Solves H in place, which becomes what `differenceGradients` takes; returns ∂L/∂log λ.
    package func solveBackward(inPlace h: Matrix) -> Float {
        factor.solve(inPlace: h)
        return -lambda * Float(dot(h, solution))
    }

    /// Rows `range` of E = ∂L/∂D [n, v], from a solved H.
    package func differenceGradients(_ solved: Matrix, rows range: Range<Int>) -> Matrix {
        switch form {
        case .dual: solved.rows(range)
        case .primal: multiply(keys.rows(range).operand, solved.operand)
        }
    }
}
