import LinearAlgebra
import TensorCore

/// A linear layer of the frozen model, y = x (W + ΔW)ᵀ, where ΔW is what edits have added. W itself is never written:
/// dropping the edit restores the layer bit for bit.
public final class Linear {
    public let name: String
    public let keySize: Int
    public let valueSize: Int
    private let weight: WeightMatrix  // [valueSize, keySize]
    public private(set) var edit: WeightEdit

    init(name: String, weight: WeightMatrix) {
        self.name = name
        self.weight = weight
        keySize = weight.columns
        valueSize = weight.rows
        edit = WeightEdit(keySize: weight.columns, valueSize: weight.rows)
    }

    /// ΔW += (keysᵀ products)ᵀ; keys [n, keySize], products [n, valueSize].
    public func add(keys: Matrix, products: Matrix) { edit.append(keys: keys, products: products) }

    /// ΔW += shiftᵀ; shift [keySize, valueSize].
    public func add(shift: Matrix) { edit.append(shift: shift) }

    /// Replaces the edit: an empty one restores the model, a kept one puts an earlier state back.
    public func setEdit(_ edit: WeightEdit) { self.edit = edit }

    public func restore() { edit = WeightEdit(keySize: keySize, valueSize: valueSize) }

    /// Row `row` of W, without edits.
    public func frozenRow(_ row: Int) -> [Float] {
        [Float](unsafeUninitializedCapacity: keySize) { buffer, count in
            weight.decodeRow(row, into: buffer.baseAddress!)
            count = keySize
        }
    }

    /// y = x (W + ΔW)ᵀ, or y += it. x [tokens, keySize], y [tokens, valueSize].
    func forward(_ x: Matrix, into y: Matrix, accumulate: Bool = false) {
        multiply(x.operand, weight.operand(addend: edit.dense).transposed, into: y, accumulate: accumulate)
        addFactors(x, into: y)
    }

    /// The outputs of layers that read the same x.
    static func forward(_ layers: [Linear], _ x: Matrix) -> [Matrix] {
        let outputs = layers.map { Matrix(uninitializedRows: x.rows, columns: $0.valueSize) }
        multiply(x.operand, layers.map { $0.weight.operand(addend: $0.edit.dense).transposed }, into: outputs)
        for (layer, y) in zip(layers, outputs) { layer.addFactors(x, into: y) }
        return outputs
    }

    /// y += (x keysᵀ) products, for edits held as factors.
    private func addFactors(_ x: Matrix, into y: Matrix) {
        guard let factors = edit.factors else { return }
        multiply(multiply(x.operand, factors.keys.transposed).operand, factors.products.operand, into: y, accumulate: true)
    }

    /// dx = dy (W + ΔW), or dx += it. dy [tokens, valueSize], dx [tokens, keySize].
    func backward(_ dy: Matrix, into dx: Matrix, accumulate: Bool = false) {
        multiply(dy.operand, weight.operand(addend: edit.dense), into: dx, accumulate: accumulate)
        if let factors = edit.factors {
            multiply(multiply(dy.operand, factors.products.transposed).operand, factors.keys.operand, into: dx, accumulate: true)
        }
    }
}

/// A weight as its file stores it: mapped, or decoded into memory. [rows, columns], row-major.
struct WeightMatrix: @unchecked Sendable {
    let rows: Int
    let columns: Int
    let data: UnsafeRawPointer
    let element: Operand.Element
    let owner: AnyObject
    /// Bytes of private memory; a mapped weight has none.
    let residentBytes: Int

    func operand(addend: Matrix? = nil) -> Operand {
        Operand(data: data, element: element, rows: rows, columns: columns, owner: owner, addend: addend)
    }

    /// One row as float32.
    func decodeRow(_ row: Int, into out: UnsafeMutablePointer<Float>) {
        switch element {
        case .float32:
            out.update(from: data.assumingMemoryBound(to: Float.self) + row * columns, count: columns)
        case .bfloat16:
            let bits = data.assumingMemoryBound(to: UInt16.self) + row * columns
            for i in 0..<columns { out[i] = Float(bitPattern: UInt32(bits[i]) << 16) }
        case .float16:
            let bits = data.assumingMemoryBound(to: UInt16.self) + row * columns
            for i in 0..<columns { out[i] = Float(Float16(bitPattern: bits[i])) }
        }
    }
}
