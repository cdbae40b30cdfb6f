import COpenBLAS
import TensorCore

/// The directions [r, k], of length 1 and orthogonal, along which a symmetric matrix [k, k] without negative eigenvalues is largest: the fewest
/// eigenvectors whose eigenvalues are at least `share` of its trace. On one thread, so that the bits do not depend on how many threads a rank has.
/// Throws `EigenvalueFailure`, or `OutOfMemory`. About 9 k³ operations, and memory for three such matrices.
package func principalDirections(of matrix: Matrix, share: Double) throws -> Matrix {
    precondition(matrix.rows == matrix.columns, "eigenvectors of \(matrix.rows) × \(matrix.columns)")
    guard matrix.rows > 0, share > 0 else { return Matrix(rows: 0, columns: matrix.rows) }
    guard matrix.isFinite else { throw EigenvalueFailure(size: matrix.rows) }
    OpenBLAS.useOneThread()
    try OpenBLAS.takeBuffers(threads: Threads.count)
    // Row after row, an eigenvector each, by rising eigenvalues.
    let vectors = matrix.copy()
    var size = Int32(matrix.rows), info: Int32 = 0, values = [Float](repeating: 0, count: matrix.rows)
    var work: [Float] = [0], integers: [Int32] = [0], workCount: Int32 = -1, integerCount: Int32 = -1
    for _ in 0..<2 {  // asks how much it needs, then works
        ssyevd_("V", "U", &size, vectors.pointer, &size, &values, &work, &workCount, &integers, &integerCount, &info)
        guard info == 0 else { throw EigenvalueFailure(size: matrix.rows) }
        guard workCount < 0 else { break }
        // A float holds no more than 24 bits of the number.
        workCount = Int32(exactly: max(work[0].nextUp.rounded(.up), 1)) ?? .max
        integerCount = integers[0]
        work = [Float](repeating: 0, count: Int(workCount))
        integers = [Int32](repeating: 0, count: Int(integerCount))
    }
    let trace = values.reduce(0.0) { $0 + Double(max(0, $1)) }
    var first = matrix.rows, sum = 0.0
    while first > 0, sum < share * trace {
        first -= 1
        sum += Double(max(0, values[first]))
    }
    return vectors.rows(first..<matrix.rows).copy()
}

/// No eigenvalues were found: the matrix holds what is no number, or LAPACK's iteration did not end.
package struct EigenvalueFailure: Error, CustomStringConvertible {
    package let size: Int
    package var description: String { "the eigenvalues of a \(size) × \(size) matrix were not found: it is not finite, or the iteration does not converge" }
}
