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
/// With a background M₀ = I + μC the shift minimises ‖U S − D‖² + λ tr SᵀM₀S. That is the above for the keys U L⁻ᵀ with L Lᵀ = M₀; written without L:
///
///     dual    S = V P,  V = M₀⁻¹Uᵀ [k, n],  P = (U V + λI)⁻¹ D          H = Vᵀ ∂L/∂S
///     primal  S = (Uᵀ U + λM₀)⁻¹ Uᵀ D                                  ∂L/∂log λ = −λ⟨(Uᵀ U + λM₀)⁻¹ ∂L/∂S, M₀S⟩
///
/// Where the background has directions Q that are left alone altogether, Q S = 0, inverses are those on what is left.
///
/// The factor costs n³ / 3 operations in the dual form and k³ / 3 in the primal: in both no more than k² / 3 for each row, and the solves with
/// it no more than 2 k v each.
package struct RidgeSolution: Sendable {
    package enum Form: Sendable { case primal, dual }

    package let keys: Matrix  // U [n, k]
    package let lambda: Float
    package let form: Form
    /// Vᵀ [n, k] in the dual form with a background, else U.
    package let shiftKeys: Matrix
    private let background: Background?
    private let factor: ConstrainedCholesky
    /// P [n, v] in the dual form, S [k, v] in the primal.
    package private(set) var solution: Matrix

    /// The form that a system of `rows` rows takes.
    package static func form(rows: Int, keySize: Int) -> Form { rows > keySize ? .primal : .dual }

    package init(keys: Matrix, differences: Matrix, lambda: Float, background: Background? = nil) throws {
        precondition(keys.rows == differences.rows, "\(keys.rows) keys and \(differences.rows) value differences")
        self.keys = keys
        self.lambda = lambda
        self.background = background
        form = Self.form(rows: keys.rows, keySize: keys.columns)
        let gram: Matrix
        switch form {
        case .dual:
            let columns = background?.solved(keys)
            gram = multiply(keys.operand, columns?.operand ?? keys.transposed)
            shiftKeys = columns.map { $0.transposedCopy() } ?? keys
            solution = differences.copy()
        case .primal:
            shiftKeys = keys
            gram = multiply(keys.transposed, keys.operand)
            solution = multiply(keys.transposed, differences.operand)
        }
        if form == .primal, let background {
            gram.add(background.moment, times: lambda)
        } else {
            for i in 0..<gram.rows { gram[i, i] += lambda }
        }
        factor = try ConstrainedCholesky(inPlace: gram, directions: form == .primal ? background?.directions : nil)
        factor.solve(inPlace: solution)
    }

    /// With other value differences, of the first rows; those of the rows below are zero.
    package func replacing(differences: Matrix) -> any ShiftSolution {
        var other = self
        let all = Matrix(rows: keys.rows, columns: differences.columns)
        all.rows(0..<differences.rows).assign(differences)
        other.solution = form == .dual ? all : multiply(keys.transposed, all.operand)
        factor.solve(inPlace: other.solution)
        return other
    }

    /// The size of the H that `backward` takes.
    package var rows: Int { solution.rows }

    /// The rows X [m, k] and Γ [m, v] of a backward pass add this · Γ to H.
    package func projector(_ x: Matrix) -> Operand {
        switch form {
        case .dual: multiply(shiftKeys.operand, x.transposed).operand
        case .primal: x.transposed
        }
    }

    /// H from ∂L/∂S [k, v].
    package func projected(shiftGradient: Matrix) -> Matrix {
        switch form {
        case .dual: multiply(shiftKeys.operand, shiftGradient.operand)
        case .primal: shiftGradient.copy()
        }
    }

    /// What coefficient · ‖ΔW‖² adds to H, for all that `edit` carries: 2 · coefficient · U ΔWᵀ (V's transpose for U with a background), or 2 · coefficient · ΔWᵀ.
    package func projectedNormGradient(_ edit: WeightEdit, coefficient: Float) -> Matrix {
        let h: Matrix
        switch form {
        case .dual: h = edit.applied(to: shiftKeys)
        case .primal: h = edit.transposedShift()
        }
        h.scale(by: 2 * coefficient)
        return h
    }

    /// Solves H in place, which becomes what `differenceGradients` takes; returns ∂L/∂log λ.
    package func solveBackward(inPlace h: Matrix) -> Float {
        factor.solve(inPlace: h)
        if form == .primal, let background { return -lambda * Float(dot(h, multiply(background.moment.operand, solution.operand))) }
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
