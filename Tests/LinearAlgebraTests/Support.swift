import CKernels
import LinearAlgebra
import TensorCore
import Testing

/// The kernel variants that this processor can run, slowest first. The choice among them, as that of the number of threads, belongs to
/// the whole process, where other tests run at the same time: a test that makes it does so in a process of its own
/// (`processExitsWith`).
let kernelVariants: [String] = {
    let all = ["portable", "avx2", "avx512", "avx512bf16", "avx512amx"]
    return Array(all[...(all.firstIndex(of: kernelVariant) ?? 0)])
}()

func useKernels(_ variant: String) {
    #expect(amend_kernel_select(variant) == 1, "\(variant) kernels were offered and cannot run")
    #expect(kernelVariant == variant)
}

/// Standard normal elements; `lane` tells draws apart.
func normals(_ rows: Int, _ columns: Int, lane: UInt32) -> Matrix {
    let matrix = Matrix(rows: rows, columns: columns)
    RandomStream(seed: 11, purpose: .tests, lane: lane).fillNormal(0..<matrix.count, into: matrix.pointer)
    return matrix
}

func transposed(_ matrix: Matrix) -> Matrix {
    let result = Matrix(rows: matrix.columns, columns: matrix.rows)
    for row in 0..<matrix.rows { for column in 0..<matrix.columns { result[column, row] = matrix[row, column] } }
    return result
}

/// Expects the same bits: zeros of either sign and NaNs are told apart.
func expectSame(_ found: Matrix, _ expected: Matrix, _ what: String) {
    #expect(found.rows == expected.rows && found.columns == expected.columns)
    let different = zip(found.elements, expected.elements).count { $0.bitPattern != $1.bitPattern }
    #expect(different == 0, "\(what): \(different) of \(expected.count) elements have other bits")
}

/// a b in double precision, row by row.
func product(_ a: Matrix, _ b: Matrix) -> [Double] {
    var result = [Double](repeating: 0, count: a.rows * b.columns)
    result.withUnsafeMutableBufferPointer { result in
        for i in 0..<a.rows {
            for p in 0..<a.columns {
                let left = Double(a.row(i)[p]), right = b.row(p)
                var j = 0  // a while loop: the tests run unoptimised too
                while j < b.columns {
                    result[i * b.columns + j] += left * Double(right[j])
                    j += 1
                }
            }
        }
    }
    return result
}

/// ‖found − expected‖ / ‖expected‖; infinite where a number is not finite.
func relativeError(_ found: Matrix, _ expected: [Double]) -> Double {
    let difference = zip(found.elements, expected).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
    let size = expected.reduce(0) { $0 + $1 * $1 }
    let error = (difference / max(size, .leastNormalMagnitude)).squareRoot()
    return error.isFinite ? error : .infinity
}
