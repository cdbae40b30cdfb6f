import CKernels
import Editors
import LinearAlgebra
import TensorCore
import Transformer

extension EditingMethod {
    /// MEND (arXiv 2110.11309): the network's rows are the shift itself, S = −η ŨᵀΔ̃, a sum of outer products; nothing is solved for. Trained as MALMEN is.
    static let mend = EditingMethod(
        name: "mend", hasHypernetwork: true, readout: MENDReadout(), rule: OuterProductRule(), plans: [.batch: Plan(.step, locality: .localityWeight)])
}

/// The key ũ as it is, and d = −η δ̃.
private struct MENDReadout: Readout {
    var makesKeys: Bool { true }

    func forward(keys: Matrix, z: Matrix, rates: [Float]) -> ReadoutRows {
        let made = ReadoutRows(differences: Matrix(rows: z.rows, columns: z.columns - keys.columns), keys: Matrix(rows: z.rows, columns: keys.columns))
        parallelFor(z.rows, grain: 8) { row in
            if let keys = made.keys { amend_add(keys.row(row), z.row(row), keys.columns) }
            amend_axpy(made.differences.row(row), -rates[row], z.row(row) + keys.columns, made.differences.columns)
        }
        return made
    }

    /// ∂ũ is the key's own gradient, ∂δ̃ = −η E, ∂η = −δ̃·E.
    func backward(keys: Matrix, z: Matrix, rates: [Float], gradient: ReadoutRows) -> (dz: Matrix, rates: [Float]) {
        guard let keyGradient = gradient.keys else { preconditionFailure("gradients of MEND's rows without those of its keys") }
        let dz = Matrix(rows: z.rows, columns: z.columns), differences = gradient.differences
        parallelFor(z.rows, grain: 8) { row in
            amend_add(dz.row(row), keyGradient.row(row), keyGradient.columns)
            amend_axpy(dz.row(row) + keys.columns, -rates[row], differences.row(row), differences.columns)
        }
        return (dz, (0..<z.rows).map { -amend_dot(z.row($0) + keys.columns, differences.row($0), differences.columns) })
    }
}

private struct OuterProductRule: ShiftRule {
    var preserves: Bool { false }

    func solve(_ system: ShiftSystem) throws -> any ShiftSolution {
        guard let ownKeys = system.made.keys else { preconditionFailure("an outer product of rows without keys") }
        return OuterProducts(keys: ownKeys, differences: system.made.differences)
    }
}

/// S = ŨᵀD. With G = ∂L/∂S: ∂L/∂D = Ũ G [n, v] and ∂L/∂Ũ = D Gᵀ [n, k], the two projections that backward needs.
private struct OuterProducts: ShiftSolution {
    let keys: Matrix  // Ũ [n, k]
    let differences: Matrix  // D [n, v]

    var isFinite: Bool { keys.isFinite && differences.isFinite }

    func replacing(differences: Matrix) -> any ShiftSolution { OuterProducts(keys: keys, differences: differences) }

    func apply(to module: Linear) { module.add(keys: keys, products: differences) }

    func changes(of others: Matrix) -> Matrix { multiply(multiply(others.operand, keys.transposed).operand, differences.operand) }

    var projectionShapes: [(rows: Int, columns: Int)] { [(keys.rows, differences.columns), (keys.rows, keys.columns)] }

    func projectionFactors(_ x: Matrix, _ gradients: Matrix) -> [(left: Operand, right: Matrix)] {
        [(multiply(keys.operand, x.transposed).operand, gradients), (multiply(differences.operand, gradients.transposed).operand, x)]
    }

    func projections(ofShiftGradient gradient: Matrix) -> [Matrix] {
        [multiply(keys.operand, gradient.operand), multiply(differences.operand, gradient.transposed)]
    }

    func projections(ofNorm edit: WeightEdit, coefficient: Float) -> [Matrix] {
        let gradient = edit.transposedShift()
        gradient.scale(by: 2 * coefficient)
        return projections(ofShiftGradient: gradient)
    }

    /// Nothing is solved for, and there is no λ.
    func solveBackward(inPlace projections: [Matrix]) -> Float { 0 }

    func rowGradients(_ solved: [Matrix], rows range: Range<Int>) -> ReadoutRows {
        ReadoutRows(differences: solved[0].rows(range), keys: solved[1].rows(range))
    }
}
