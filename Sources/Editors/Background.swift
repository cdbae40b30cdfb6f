import LinearAlgebra
import TensorCore
import Transformer

/// What a module's keys are like where nothing is to be edited: M₀ = I + μC with C = (1/N) Σ k kᵀ, the second moment of its keys on plain text.
///
/// Keys are far from centred: any two prompts share most of their direction. A shift that costs tr SᵀM₀S instead of ‖S‖² moves what plain text
/// has in common as little as it can.
///
/// Directions Q that hold most of C can be left alone altogether, Q S = 0: AlphaEdit's projection (arXiv 2410.02355), of which the shift is then the best that there is
/// rather than the projection of another. M₀⁻¹ then stands for the inverse of M₀ on what is left.
package struct Background: Sendable {
    /// M₀ [k, k]
    let moment: Matrix
    /// Q [r, k]; nil: no direction is left alone altogether.
    let directions: Matrix?
    private let factor: ConstrainedCholesky

    /// `sum` [k, k]: Σ k kᵀ of `count` keys; is overwritten. `share`: how much of C the directions hold that are left alone altogether.
    package init(sum: Matrix, count: Int, weight: Float, share: Double = 0) throws {
        let directions = share > 0 ? try principalDirections(of: sum, share: share) : nil
        sum.scale(by: weight / Float(max(count, 1)))
        for i in 0..<sum.rows { sum[i, i] += 1 }
        try self.init(moment: sum, directions: directions)
    }

    /// Where nothing is known of the keys: M₀ = I.
    package init(keySize: Int) throws { try self.init(sum: Matrix(rows: keySize, columns: keySize), count: 0, weight: 0) }

    private init(moment: Matrix, directions: Matrix?) throws {
        self.moment = moment
        self.directions = directions
        factor = try ConstrainedCholesky(inPlace: moment.copy(), directions: directions)
    }

    /// With keys that count by themselves, not as a mean: M₀ + weight · Σ k kᵀ.
    package func holding(_ held: HeldKeys, weight: Float) throws -> Background {
        let sum = moment.copy()
        held.add(to: sum, weight: weight)
        return try Background(moment: sum, directions: directions)
    }

    /// M₀⁻¹ Uᵀ [k, n] of U [n, k].
    func solved(_ keys: Matrix) -> Matrix {
        let right = keys.transposedCopy()
        factor.solve(inPlace: right)
        return right
    }
}
