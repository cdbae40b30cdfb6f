import LinearAlgebra
import TensorCore

/// What a module's keys are like where nothing is to be edited: M₀ = I + μC with C = (1/N) Σ k kᵀ, the second moment of its keys on plain text.
///
/// Keys are far from centred: any two prompts share most of their direction. A shift that costs tr SᵀM₀S instead of ‖S‖² moves what plain text
/// has in common as little as it can.
package struct Background: Sendable {
    /// M₀ [k, k]
    let moment: Matrix
    private let factor: Cholesky

    /// `sum` [k, k]: Σ k kᵀ of `count` keys; is overwritten.
    package init(sum: Matrix, count: Int, weight: Float) throws {
        sum.scale(by: weight / Float(max(count, 1)))
        for i in 0..<sum.rows { sum[i, i] += 1 }
        moment = sum
        factor = try Cholesky(inPlace: sum.copy())
    }

    /// M₀⁻¹ Uᵀ [k, n] of U [n, k].
    func solved(_ keys: Matrix) -> Matrix {
        let right = keys.transposedCopy()
        factor.solve(inPlace: right)
        return right
    }
}
