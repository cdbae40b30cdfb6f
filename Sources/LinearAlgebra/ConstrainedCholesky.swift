import TensorCore

/// A symmetric positive definite A, and directions Q [r, k] that solutions must have nothing of: of A X = B the X with Q X = 0 that minimises
/// ½ tr XᵀA X − tr XᵀB. With Y = A⁻¹Qᵀ that is A⁻¹B − Y (Q Y)⁻¹ Q A⁻¹B, symmetric in B like A⁻¹ itself.
package struct ConstrainedCholesky: Sendable {
    private let factor: Cholesky
    private let constraint: Constraint?

    private struct Constraint: Sendable {
        let directions: Matrix
        let columns: Matrix  // Y
        let inner: Cholesky  // of Q Y
    }

    /// Factors `matrix` in place. Throws what ``Cholesky`` does. `directions`: linearly independent rows; nil or none: any solution will do.
    package init(inPlace matrix: Matrix, directions: Matrix?) throws {
        factor = try Cholesky(inPlace: matrix)
        guard let directions, directions.rows > 0 else {
            constraint = nil
            return
        }
        let columns = directions.transposedCopy()
        factor.solve(inPlace: columns)
        constraint = Constraint(directions: directions, columns: columns, inner: try Cholesky(inPlace: multiply(directions.operand, columns.operand)))
    }

    /// B becomes X.
    package func solve(inPlace right: Matrix) {
        factor.solve(inPlace: right)
        guard let constraint, right.count > 0 else { return }
        let excess = multiply(constraint.directions.operand, right.operand)
        constraint.inner.solve(inPlace: excess)
        right.add(multiply(constraint.columns.operand, excess.operand), times: -1)
    }
}
