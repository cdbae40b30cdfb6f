import LinearAlgebra
import TensorCore
import Transformer

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
        try self.init(moment: sum)
    }

    /// Where nothing is known of the keys: M₀ = I.
    package init(keySize: Int) throws { try self.init(sum: Matrix(rows: keySize, columns: keySize), count: 0, weight: 0) }

    private init(moment: Matrix) throws {
        self.moment = moment
        factor = try Cholesky(inPlace: moment.copy())
    }

    /// With keys that count by themselves, not as a mean: M₀ + weight · Σ k kᵀ.
    package func holding(_ held: HeldKeys, weight: Float) throws -> Background {
        let sum = moment.copy()
        held.add(to: sum, weight: weight)
        return try Background(moment: sum)
    }

    /// M₀⁻¹ Uᵀ [k, n] of U [n, k].
    func solved(_ keys: Matrix) -> Matrix {
        let right = keys.transposedCopy()
        factor.solve(inPlace: right)
        return right
    }
}
