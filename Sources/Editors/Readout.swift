import CKernels
import TensorCore

/// What an editor makes of captured rows, one row of each: the value differences D and, with some methods, keys of its own. Or gradients of these.
package struct ReadoutRows: Sendable {
    package let differences: Matrix  // D [N, v]
    package let keys: Matrix?  // [N, k]

    package init(differences: Matrix, keys: Matrix? = nil) {
        self.differences = differences
        self.keys = keys
    }

    /// Rows of one network one below the other; without parts, none.
    package static func stacked(_ parts: [ReadoutRows], of network: HyperNetwork) -> ReadoutRows {
        if parts.count == 1 { return parts[0] }
        let keys = network.readout.makesKeys ? Matrix.stacked(parts.compactMap(\.keys), columns: network.shape.keySize) : nil
        return ReadoutRows(differences: Matrix.stacked(parts.map(\.differences), columns: network.shape.valueSize), keys: keys)
    }

    package func map(_ transform: (Matrix) throws -> Matrix) rethrows -> ReadoutRows {
        ReadoutRows(differences: try transform(differences), keys: try keys.map(transform))
    }

    package func rows(_ range: Range<Int>) -> ReadoutRows { ReadoutRows(differences: differences.rows(range), keys: keys?.rows(range)) }
}

/// The last part of an editor's network: what its output rows z = [ũ; δ̃] mean.
///
/// Legend: N rows, u [k] a captured key, δ [v] its value gradient, w = k + v, η the rate of a row's module.
package protocol Readout: Sendable {
    /// Whether it makes keys beside value differences.
    var makesKeys: Bool { get }

    /// keys [N, k] as captured, z [N, w], rates [N].
    func forward(keys: Matrix, z: Matrix, rates: [Float]) -> ReadoutRows

    /// Of ∂L/∂ what `forward` made: ∂L/∂z [N, w], and each row's share of ∂L/∂η.
    func backward(keys: Matrix, z: Matrix, rates: [Float], gradient: ReadoutRows) -> (dz: Matrix, rates: [Float])
}

/// d = −η (u·ũ) δ̃ (MALMEN, arXiv 2311.04661).
package struct MALMENReadout: Readout {
    package init() {}

    package var makesKeys: Bool { false }

    package func forward(keys: Matrix, z: Matrix, rates: [Float]) -> ReadoutRows {
        let differences = Matrix(rows: keys.rows, columns: z.columns - keys.columns)
        parallelFor(keys.rows, grain: 8) { row in
            let along = amend_dot(keys.row(row), z.row(row), keys.columns)
            amend_axpy(differences.row(row), -rates[row] * along, z.row(row) + keys.columns, differences.columns)
        }
        return ReadoutRows(differences: differences)
    }

    /// With E = ∂L/∂d: ∂ũ = −η (δ̃·E) u, ∂δ̃ = −η (u·ũ) E, ∂η = −(u·ũ)(δ̃·E).
    package func backward(keys: Matrix, z: Matrix, rates: [Float], gradient: ReadoutRows) -> (dz: Matrix, rates: [Float]) {
        let gradient = gradient.differences, dz = Matrix(rows: gradient.rows, columns: z.columns)
        var shares = [Float](repeating: 0, count: gradient.rows)
        shares.withUnsafeMutableBufferPointer { buffer in
            let shares = UncheckedSendable(buffer)
            parallelFor(gradient.rows, grain: 8) { row in
                let along = amend_dot(keys.row(row), z.row(row), keys.columns)
                let across = amend_dot(z.row(row) + keys.columns, gradient.row(row), gradient.columns)
                amend_axpy(dz.row(row), -rates[row] * across, keys.row(row), keys.columns)
                amend_axpy(dz.row(row) + keys.columns, -rates[row] * along, gradient.row(row), gradient.columns)
                shares.value[row] = -along * across
            }
        }
        return (dz, shares)
    }
}
