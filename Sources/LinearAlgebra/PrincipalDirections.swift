import COpenBLAS
import TensorCore

/// The eigenvectors of a symmetric matrix [k, k], by rising eigenvalues. On one thread, so that the bits do not depend on how many threads a rank has. About 9 k³ operations, and memory for three
/// such matrices while they are found.
package struct Eigenvectors: Sendable {
    package let values: [Float]
    /// A row each, of length 1.
    package let vectors: Matrix  // [k, k]

    /// Throws `EigenvalueFailure`, or `OutOfMemory`.
    package init(of matrix: Matrix) throws {
        precondition(matrix.rows == matrix.columns, "eigenvectors of \(matrix.rows) × \(matrix.columns)")
        let n = matrix.rows
        guard matrix.isFinite else { throw EigenvalueFailure(size: n, why: "it is not finite") }
        // As much room as LAPACK's documentation of ssyevd asks for.
        guard var workCount = Int32(exactly: 1 + 6 * n + 2 * n * n) else {
            throw EigenvalueFailure(size: n, why: "LAPACK as Debian ships it counts its work space, 2 k², in 32 bits")
        }
        OpenBLAS.useOneThread()
        try OpenBLAS.takeBuffers(threads: Threads.count)
        let vectors = matrix.copy(), work = Matrix(uninitializedRows: 1, columns: Int(workCount))
        var size = Int32(n), info: Int32 = 0, values = [Float](repeating: 0, count: n)
        var integers = [Int32](repeating: 0, count: 3 + 5 * n), integerCount = Int32(integers.count)
        if n > 0 { ssyevd_("V", "U", &size, vectors.pointer, &size, &values, work.pointer, &workCount, &integers, &integerCount, &info) }
        guard info == 0 else { throw EigenvalueFailure(size: n, why: "the iteration does not converge") }
        (self.values, self.vectors) = (values, vectors)
    }
}

/// The directions [r, k], of length 1 and orthogonal, along which a symmetric matrix [k, k] without negative eigenvalues is largest: the fewest eigenvectors whose eigenvalues are at least `share` of
/// its trace. See `Eigenvectors`.
package func principalDirections(of matrix: Matrix, share: Double) throws -> Matrix {
    precondition(matrix.rows == matrix.columns, "eigenvectors of \(matrix.rows) × \(matrix.columns)")
    guard matrix.rows > 0, share > 0 else { return Matrix(rows: 0, columns: matrix.rows) }
    let found = try Eigenvectors(of: matrix), trace = found.values.reduce(0.0) { $0 + Double(max(0, $1)) }
    var first = matrix.rows, sum = 0.0
    while first > 0, sum < share * trace {
        first -= 1
        sum += Double(max(0, found.values[first]))
    }
    return found.vectors.rows(first..<matrix.rows).copy()
}

/// No eigenvalues were found.
package struct EigenvalueFailure: Error, CustomStringConvertible {
    package let size: Int
    package let why: String
    package var description: String { "the eigenvalues of a \(size) × \(size) matrix were not found: \(why)" }
}
