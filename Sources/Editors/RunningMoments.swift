import CKernels
import TensorCore

/// Streaming mean and standard deviation of each feature (Chan, Golub and LeVeque's pairwise update), in double precision.
/// A feature vector is a key and its value gradient, one behind the other.
package final class RunningMoments {
    package let keySize: Int
    package let valueSize: Int
    package private(set) var count: Int = 0
    package private(set) var means: [Double]  // [features]
    package private(set) var squares: [Double]  // [features]: Σ (x − mean)²
    private var mean: Matrix  // [1, features], as `normalize` uses them
    private var deviation: Matrix  // [1, features]

    package init(keySize: Int, valueSize: Int) {
        self.keySize = keySize
        self.valueSize = valueSize
        let features = keySize + valueSize
        means = Array(repeating: 0, count: features)
        squares = Array(repeating: 0, count: features)
        mean = Matrix(rows: 1, columns: features)
        deviation = Matrix(rows: 1, columns: features)
        deviation.fill(1)
    }

    package var features: Int { keySize + valueSize }

    /// Puts a saved state back.
    package func set(count: Int, means: [Double], squares: [Double]) {
        precondition(means.count == features && squares.count == features, "\(means.count) and \(squares.count) features for \(features)")
        self.count = count
        self.means = means
        self.squares = squares
        refresh()
    }

    /// Merges the rows of one micro-batch. keys [m, keySize], gradients [m, valueSize].
    package func observe(keys: Matrix, gradients: Matrix) {
        precondition(
            keys.columns == keySize && gradients.columns == valueSize && keys.rows == gradients.rows,
            "rows of \(keys.columns) and \(gradients.columns) for moments of \(keySize) and \(valueSize)")
        let rows = keys.rows
        guard rows > 0 else { return }
        let before = Double(count), merged = Double(count + rows)
        means.withUnsafeMutableBufferPointer { means in
            squares.withUnsafeMutableBufferPointer { squares in
                let state = UncheckedSendable((means, squares))
                parallelFor(features, grain: 128) { feature in
                    let (means, squares) = state.value
                    let part = Self.moments(feature < keySize ? keys : gradients, feature < keySize ? feature : feature - keySize)
                    let delta = part.mean - means[feature]
                    means[feature] += delta * Double(rows) / merged
                    squares[feature] += part.squares + delta * delta * before * Double(rows) / merged
                }
            }
        }
        count += rows
        refresh()
    }

    private static func moments(_ matrix: Matrix, _ column: Int) -> (mean: Double, squares: Double) {
        var sum = 0.0, squares = 0.0
        for row in 0..<matrix.rows { sum += Double(matrix[row, column]) }
        let mean = sum / Double(matrix.rows)
        for row in 0..<matrix.rows {
            let difference = Double(matrix[row, column]) - mean
            squares += difference * difference
        }
        return (mean, squares)
    }

    private func refresh() {
        for feature in 0..<features {
            mean[0, feature] = Float(means[feature])
            deviation[0, feature] = count == 0 ? 1 : Float((squares[feature] / (Double(count) - 1 + 1e-8)).squareRoot())
        }
    }

    /// See `Standardizer.normalize`.
    package func normalize(keys: Matrix, gradients: Matrix) -> Matrix { standardizer.normalize(keys: keys, gradients: gradients) }

    /// The moments as they are now, for as long as they are needed.
    package var standardizer: Standardizer { Standardizer(keySize: keySize, mean: mean.copy(), deviation: deviation.copy()) }
}

/// Means and deviations of one moment.
package struct Standardizer: Sendable {
    let keySize: Int
    let mean: Matrix  // [1, features]
    let deviation: Matrix  // [1, features]

    /// Kept from dividing by zero: float32's machine epsilon.
    private static let epsilon = Float.ulpOfOne

    /// z [m, features] = ([keys; gradients] − mean) / (deviation + ε), with the sample deviation (n − 1).
    package func normalize(keys: Matrix, gradients: Matrix) -> Matrix {
        let z = Matrix(uninitializedRows: keys.rows, columns: mean.columns), valueSize = mean.columns - keySize
        parallelFor(keys.rows, grain: 4) { row in
            amend_standardize(z.row(row), keys.row(row), mean.pointer, deviation.pointer, Self.epsilon, keySize)
            amend_standardize(z.row(row) + keySize, gradients.row(row), mean.pointer + keySize, deviation.pointer + keySize, Self.epsilon, valueSize)
        }
        return z
    }
}
