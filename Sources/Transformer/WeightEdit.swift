import LinearAlgebra
import TensorCore

/// What edits have added to one weight: ΔW [valueSize, keySize] = dense + productsᵀ keys.
///
/// New edits are thin factors, which cost 2 n (k + v) operations for every token that passes. The dense form costs kv floats of memory
/// and is added to the weight as that is read. Beyond `foldingRows` factors are folded into it. When that happens depends on the
/// rows alone, so it is the same on any number of ranks.
package struct WeightEdit: Sendable {
    package struct Factors: Sendable {
        package let keys: Matrix  // [n, keySize]
        package let products: Matrix  // [n, valueSize]

        package init(keys: Matrix, products: Matrix) {
            precondition(keys.rows == products.rows, "factors of \(keys.rows) and \(products.rows) rows")
            self.keys = keys
            self.products = products
        }
    }

    package let keySize: Int
    package let valueSize: Int
    package private(set) var factors: Factors?
    package private(set) var dense: Matrix?  // [valueSize, keySize]; never written once set
    /// Where the edits were made, as far as later ones are to leave that alone.
    package var held = HeldKeys()

    package init(keySize: Int, valueSize: Int) {
        self.keySize = keySize
        self.valueSize = valueSize
    }

    /// A state that was saved.
    package init(keySize: Int, valueSize: Int, factors: Factors?, dense: Matrix?, held: HeldKeys = HeldKeys()) {
        self.init(keySize: keySize, valueSize: valueSize)
        self.held = held
        self.factors = factors
        self.dense = dense
    }

    package var isEmpty: Bool { factors == nil && dense == nil }

    /// Rows of factors beyond which they are folded: where the dense form is smaller, and at most 96. (Folding n rows costs 2 n k v
    /// operations once; at 96 rows a few hundred tokens, an edit batch, have cost as much, for every size of model.)
    package var foldingRows: Int { min(96, keySize * valueSize / (keySize + valueSize)) }

    mutating func append(keys: Matrix, products: Matrix) {
        precondition(
            keys.columns == keySize && products.columns == valueSize && keys.rows == products.rows,
            "factors \(keys.rows) × \(keys.columns) and \(products.rows) × \(products.columns) for a \(valueSize) × \(keySize) weight")
        guard keys.rows > 0 else { return }
        let all = Factors(
            keys: Matrix.stacked([factors?.keys, keys].compactMap { $0 }, columns: keySize),
            products: Matrix.stacked([factors?.products, products].compactMap { $0 }, columns: valueSize))
        if all.keys.rows <= foldingRows {
            factors = all
        } else {
            let folded = dense?.copy() ?? Matrix(rows: valueSize, columns: keySize)
            multiply(all.products.transposed, all.keys.operand, into: folded, accumulate: true)
            dense = folded
            factors = nil
        }
    }

    /// ΔW += shiftᵀ, for a shift [keySize, valueSize] that is not thin.
    mutating func append(shift: Matrix) {
        precondition(shift.rows == keySize && shift.columns == valueSize, "a shift of \(shift.rows) × \(shift.columns) for a \(valueSize) × \(keySize) weight")
        let folded = materialized()
        parallelFor(valueSize, grain: 16) { value in
            for key in 0..<keySize { folded[value, key] += shift[key, value] }
        }
        dense = folded
        factors = nil
    }

    /// rows ΔWᵀ [n, valueSize] for rows [n, keySize].
    package func applied(to rows: Matrix) -> Matrix {
        let result = Matrix(rows: rows.rows, columns: valueSize)
        if let dense { multiply(rows.operand, dense.transposed, into: result, accumulate: true) }
        if let factors {
            multiply(multiply(rows.operand, factors.keys.transposed).operand, factors.products.operand, into: result, accumulate: true)
        }
        return result
    }

    /// ΔWᵀ [keySize, valueSize].
    package func transposedShift() -> Matrix {
        let shift = materialized(), result = Matrix(uninitializedRows: keySize, columns: valueSize)
        parallelFor(keySize, grain: 16) { key in
            for value in 0..<valueSize { result[key, value] = shift[value, key] }
        }
        return result
    }

    /// ΔW [valueSize, keySize] itself.
    package func materialized() -> Matrix {
        let result = dense?.copy() ?? Matrix(rows: valueSize, columns: keySize)
        if let factors { multiply(factors.products.transposed, factors.keys.operand, into: result, accumulate: true) }
        return result
    }
}
