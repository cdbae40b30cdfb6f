import LinearAlgebra
import TensorCore

/// Keys of a module that later edits are to leave where they are: as they came while they are fewer than a key has entries, then their second
/// moment, which takes no more memory however many they become. When that happens depends on the rows alone, so it is the same on any number of ranks.
package struct HeldKeys: Sendable {
    package private(set) var rows: Matrix?  // [n, keySize]
    /// Σ k kᵀ of those that `rows` no longer has; never written once set.
    package private(set) var moment: Matrix?  // [keySize, keySize]

    package init() {}

    /// A state that was saved.
    package init(rows: Matrix?, moment: Matrix?) {
        self.rows = rows
        self.moment = moment
    }

    package var isEmpty: Bool { rows == nil && moment == nil }

    mutating func append(_ keys: Matrix) {
        guard keys.rows > 0 else { return }
        let all = Matrix.stacked([rows, keys].compactMap { $0 }, columns: keys.columns)
        if all.rows <= keys.columns {
            rows = all
        } else {
            let folded = moment?.copy() ?? Matrix(rows: keys.columns, columns: keys.columns)
            multiply(all.transposed, all.operand, into: folded, accumulate: true)
            moment = folded
            rows = nil
        }
    }

    /// sum += weight · Σ k kᵀ, for a sum [keySize, keySize].
    package func add(to sum: Matrix, weight: Float) {
        if let moment { sum.add(moment, times: weight) }
        if let rows {
            let scaled = rows.copy()
            scaled.scale(by: weight)
            multiply(rows.transposed, scaled.operand, into: sum, accumulate: true)
        }
    }
}
