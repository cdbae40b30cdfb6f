import TensorCore
import TestSupport

/// Standard normal elements; `lane` tells draws apart.
func normals(_ rows: Int, _ columns: Int, lane: UInt32) -> Matrix { normals(rows, columns, seed: 11, lane: lane) }

func transposed(_ matrix: Matrix) -> Matrix {
    let result = Matrix(rows: matrix.columns, columns: matrix.rows)
    for row in 0..<matrix.rows { for column in 0..<matrix.columns { result[column, row] = matrix[row, column] } }
    return result
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
