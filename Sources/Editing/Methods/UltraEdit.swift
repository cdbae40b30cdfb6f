import CKernels
import Editors
import TensorCore

extension EditingMethod {
    /// UltraEdit (arXiv 2505.14679): no hypernetwork and no training. Rows are standardised by moments that go on learning, and solved for with λ = 1.
    static let ultraedit = EditingMethod(
        name: "ultraedit", hasHypernetwork: false, innerLearningRate: 1e-6, readout: UltraEditReadout(), rule: RidgeRule(),
        plans: [.sequential: Plan(.none), .batch: Plan(.none)])
}

/// d = −η ‖û‖² δ̂ of a standardised row [û; δ̂].
private struct UltraEditReadout: Readout {
    var makesKeys: Bool { false }

    func forward(keys: Matrix, z: Matrix, rates: [Float]) -> ReadoutRows {
        let differences = Matrix(rows: z.rows, columns: z.columns - keys.columns)
        parallelFor(z.rows, grain: 8) { row in
            let square = amend_dot(z.row(row), z.row(row), keys.columns)
            amend_axpy(differences.row(row), -rates[row] * square, z.row(row) + keys.columns, differences.columns)
        }
        return ReadoutRows(differences: differences)
    }

    func backward(keys: Matrix, z: Matrix, rates: [Float], gradient: ReadoutRows) -> (dz: Matrix, rates: [Float]) {
        preconditionFailure("UltraEdit has nothing to train")
    }
}
