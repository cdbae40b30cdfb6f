import COpenBLAS
import TensorCore

/// The factor L of a symmetric positive definite matrix A = L Lᵀ.
package struct Cholesky: Sendable {
    private let factor: Matrix  // [size, size], the lower triangle

    /// A pivot that is not positive: the matrix is not positive definite, or holds a NaN.
    package struct Failure: Error, CustomStringConvertible {
        package let size: Int
        package let pivot: Int  // the first that is wrong, counted from one
        package var description: String {
            "Cholesky factorisation of a \(size) × \(size) matrix failed at pivot \(pivot): it is not positive definite or not finite"
        }
    }

    /// Factors `matrix` in place, on one thread, so that the bits do not depend on how many threads a rank has. Throws `Failure`, or `OutOfMemory` where
    /// OpenBLAS has no buffers yet and none can be had.
    package init(inPlace matrix: Matrix) throws {
        precondition(matrix.rows == matrix.columns, "a Cholesky factor of \(matrix.rows) × \(matrix.columns)")
        factor = matrix
        guard matrix.rows > 0 else { return }
        OpenBLAS.useOneThread()
        try OpenBLAS.takeBuffers(threads: Threads.count)
        // Row-major lower is column-major upper.
        var size = Int32(matrix.rows), info: Int32 = 0
        spotrf_("U", &size, matrix.pointer, &size, &info)
        guard info == 0 else { throw Failure(size: matrix.rows, pivot: Int(info)) }
        // A NaN passes OpenBLAS's test of the pivots. Wherever it was, it has reached the pivot of its row.
        if let pivot = (0..<matrix.rows).first(where: { !matrix[$0, $0].isFinite }) { throw Failure(size: matrix.rows, pivot: pivot + 1) }
    }

    /// right <- A⁻¹ right. Columns are solved in strips of fixed width, over the process's threads where OpenBLAS has buffers for them.
    package func solve(inPlace right: Matrix) {
        precondition(right.rows == factor.rows, "\(right.rows) rows on the right of a system of \(factor.rows)")
        guard right.count > 0 else { return }
        let strip = 256, strips = (right.columns + strip - 1) / strip
        let solveStrip = { (index: Int) in
            let first = index * strip
            let width = Int32(min(strip, right.columns - first))
            let size = Int32(factor.rows), stride = Int32(right.columns)
            for transpose in [CblasNoTrans, CblasTrans] {
                cblas_strsm(
                    CblasRowMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, size, width, 1,
                    factor.pointer, size, right.pointer + first, stride)
            }
        }
        if OpenBLAS.callsAtATime >= Threads.count { parallelFor(strips, solveStrip) } else { (0..<strips).forEach(solveStrip) }
    }
}
