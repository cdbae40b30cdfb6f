import CKernels
import TensorCore

/// A root-mean-square norm (Zhang and Sennrich, arXiv 1910.07467), or with a bias a layer norm (Ba et al., arXiv 1607.06450), of rows.
struct Norm: Sendable {
    let weight: Matrix  // [1, n]
    let bias: Matrix?  // [1, n]; a layer norm has one
    let epsilon: Float

    func forward(_ x: Matrix) -> Matrix {
        let out = Matrix(uninitializedRows: x.rows, columns: x.columns)
        parallelFor(x.rows, grain: 8) { row in
            if let bias {
                amend_layer_norm_forward(out.row(row), x.row(row), weight.pointer, bias.pointer, x.columns, epsilon)
            } else {
                amend_rms_norm_forward(out.row(row), x.row(row), weight.pointer, x.columns, epsilon)
            }
        }
        return out
    }

    /// dx += the gradient through `forward` of dout.
    func addBackward(_ dout: Matrix, _ x: Matrix, to dx: Matrix) {
        parallelFor(x.rows, grain: 8) { row in
            if bias != nil {
                amend_layer_norm_backward(dx.row(row), dout.row(row), x.row(row), weight.pointer, x.columns, epsilon)
            } else {
                amend_rms_norm_backward(dx.row(row), dout.row(row), x.row(row), weight.pointer, x.columns, epsilon)
            }
        }
    }

    func backward(_ dout: Matrix, _ x: Matrix) -> Matrix {
        let dx = Matrix(rows: x.rows, columns: x.columns)
        addBackward(dout, x, to: dx)
        return dx
    }

    /// The norm of every head of `rows` [T, heads · n].
    func forwardHeads(_ rows: Matrix) -> Matrix {
        forward(rows.reshaped(rows: rows.count / weight.columns, columns: weight.columns)).reshaped(rows: rows.rows, columns: rows.columns)
    }

    func backwardHeads(_ dout: Matrix, _ x: Matrix) -> Matrix {
        let size = weight.columns
        return backward(dout.reshaped(rows: dout.count / size, columns: size), x.reshaped(rows: x.count / size, columns: size))
            .reshaped(rows: x.rows, columns: x.columns)
    }
}
