import CKernels
import LinearAlgebra
import TensorCore

/// Values [n, valueSize] that are added to the output of a layer, on `rows` of the `rowCount` rows of a pack.
package struct OutputOffsets {
    package let rows: [Int]
    package let values: Matrix
    package let rowCount: Int

    package init(rows: [Int], values: Matrix, rowCount: Int) {
        precondition(rows.count == values.rows, "\(values.rows) offsets for \(rows.count) rows")
        (self.rows, self.values, self.rowCount) = (rows, values, rowCount)
    }
}

/// A linear layer of the frozen model, y = x (W + ΔW)ᵀ + b, where ΔW is what edits have added. W itself is never written:
/// dropping the edit restores the layer bit for bit.
package final class Linear {
    package let name: String
    package let keySize: Int
    package let valueSize: Int
    let weight: WeightMatrix
    private let bias: Matrix?  // [1, valueSize]
    package private(set) var edit: WeightEdit
    /// What is added to the output on some rows of the pack that is gone through.
    package var offsets: OutputOffsets?
    /// Of all products with this layer, edits included.
    var arithmetic = Arithmetic.float32

    init(name: String, weight: WeightMatrix, bias: Matrix? = nil) {
        self.name = name
        self.weight = weight
        self.bias = bias
        keySize = weight.keySize
        valueSize = weight.valueSize
        edit = WeightEdit(keySize: weight.keySize, valueSize: weight.valueSize)
    }

    /// Whether the model's file holds Wᵀ, as GPT-2's does.
    package var isStoredTransposed: Bool { weight.isTransposed }

    /// ΔW += (keysᵀ products)ᵀ; keys [n, keySize], products [n, valueSize].
    package func add(keys: Matrix, products: Matrix) { edit.append(keys: keys, products: products) }

    /// ΔW += shiftᵀ; shift [keySize, valueSize].
    package func add(shift: Matrix) { edit.append(shift: shift) }

    /// Has later edits leave alone what the layer makes of these keys [n, keySize].
    package func hold(keys: Matrix) { edit.held.append(keys) }

    /// Replaces the edit: an empty one restores the model, a kept one puts an earlier state back.
    package func setEdit(_ edit: WeightEdit) { self.edit = edit }

    package func restore() { edit = WeightEdit(keySize: keySize, valueSize: valueSize) }

    /// Row `row` of W, without edits.
    package func frozenRow(_ row: Int) -> [Float] {
        [Float](unsafeUninitializedCapacity: keySize) { buffer, count in
            if let out = buffer.baseAddress { weight.decodeRow(row, into: out) }
            count = keySize
        }
    }

    /// ΔW where it can be added to the weight as that is read: both lie the same way.
    private var addend: Matrix? { weight.isTransposed ? nil : edit.dense }

    /// y = x (W + ΔW)ᵀ + b, or y += it. x [tokens, keySize], y [tokens, valueSize].
    func forward(_ x: Matrix, into y: Matrix, accumulate: Bool = false) {
        multiply(x.operand, weight.operand(transposed: true, addend: addend), into: y, accumulate: accumulate, in: arithmetic)
        addRest(x, into: y)
    }

    package func output(of x: Matrix) -> Matrix { forward(x) }

    func forward(_ x: Matrix) -> Matrix {
        let y = Matrix(uninitializedRows: x.rows, columns: valueSize)
        forward(x, into: y)
        return y
    }

    /// The outputs of layers of one model that read the same x.
    static func forward(_ layers: [Linear], _ x: Matrix) -> [Matrix] {
        let outputs = layers.map { Matrix(uninitializedRows: x.rows, columns: $0.valueSize) }
        multiply(
            x.operand, layers.map { $0.weight.operand(transposed: true, addend: $0.addend) }, into: outputs,
            in: layers.first?.arithmetic ?? .float32)
        for (layer, y) in zip(layers, outputs) { layer.addRest(x, into: y) }
        return outputs
    }

    /// y += the bias and, for edits held as factors, (x keysᵀ) products.
    private func addRest(_ x: Matrix, into y: Matrix) {
        if let offsets {
            precondition(offsets.rowCount == y.rows, "offsets on \(offsets.rowCount) rows of an output of \(y.rows)")
            for (index, row) in offsets.rows.enumerated() { amend_add(y.row(row), offsets.values.row(index), y.columns) }
        }
        if let bias { parallelFor(y.rows, grain: 16) { amend_add(y.row($0), bias.pointer, y.columns) } }
        if weight.isTransposed, let dense = edit.dense { multiply(x.operand, dense.transposed, into: y, accumulate: true, in: arithmetic) }
        if let factors = edit.factors {
            multiply(multiply(x.operand, factors.keys.transposed, in: arithmetic).operand, factors.products.operand, into: y, accumulate: true, in: arithmetic)
        }
    }

    /// dx = dy (W + ΔW), or dx += it. dy [tokens, valueSize], dx [tokens, keySize].
    func backward(_ dy: Matrix, into dx: Matrix, accumulate: Bool = false) {
        multiply(dy.operand, weight.operand(transposed: false, addend: addend), into: dx, accumulate: accumulate, in: arithmetic)
        if weight.isTransposed, let dense = edit.dense { multiply(dy.operand, dense.operand, into: dx, accumulate: true, in: arithmetic) }
        if let factors = edit.factors {
            multiply(multiply(dy.operand, factors.products.transposed, in: arithmetic).operand, factors.keys.operand, into: dx, accumulate: true, in: arithmetic)
        }
    }
}
