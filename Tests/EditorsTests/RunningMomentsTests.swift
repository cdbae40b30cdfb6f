import Editors
import TensorCore
import TestSupport
import Testing

@Suite struct RunningMomentsTests {
    private let keys = normals(23, 3, lane: 1),
        gradients: Matrix = {
            let matrix = normals(23, 4, lane: 2, scale: 1e-3)
            for index in 0..<matrix.count { matrix.pointer[index] += 5 }  // far from zero, which a sum of squares would not survive
            return matrix
        }()

    private func observed(_ cuts: [Int]) -> RunningMoments {
        let moments = RunningMoments(keySize: 3, valueSize: 4)
        for (low, high) in zip(cuts, cuts.dropFirst()) { moments.observe(keys: keys.rows(low..<high), gradients: gradients.rows(low..<high)) }
        return moments
    }

    @Test(arguments: [[0, 23], [0, 1, 2, 3, 23], [0, 10, 10, 22, 23], Array(0...23)]) func mergingIsOneShot(cuts: [Int]) {
        let moments = observed(cuts)
        #expect(moments.count == 23)
        let z = moments.normalize(keys: keys, gradients: gradients)
        for feature in 0..<7 {
            let column = (0..<23).map { Double(feature < 3 ? keys[$0, feature] : gradients[$0, feature - 3]) }
            let mean = column.reduce(0, +) / 23, squares = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            #expect(abs(moments.means[feature] - mean) < 1e-13 * max(1, abs(mean)), "mean of feature \(feature)")
            #expect(abs(moments.squares[feature] - squares) < 1e-8 * squares, "squares of feature \(feature)")
            // The sample deviation, of n − 1, and float32's machine epsilon beside it.
            let deviation = (squares / 22).squareRoot() + Double(Float.ulpOfOne)
            for row in 0..<23 {
                let expected = (column[row] - mean) / deviation
                #expect(abs(Double(z[row, feature]) - expected) < 1e-3 * max(1, abs(expected)), "row \(row), feature \(feature)")
            }
        }
    }

    @Test func savedStatesArePutBack() {
        let moments = observed([0, 5, 23]), copy = RunningMoments(keySize: 3, valueSize: 4)
        copy.set(count: moments.count, means: moments.means, squares: moments.squares)
        expectSame(copy.normalize(keys: keys, gradients: gradients), moments.normalize(keys: keys, gradients: gradients), "normalised rows")
        copy.observe(keys: keys, gradients: gradients)
        moments.observe(keys: keys, gradients: gradients)
        #expect(copy.count == moments.count && copy.means == moments.means && copy.squares == moments.squares)
    }

    /// Nothing observed leaves rows as they are, nearly; a single row is normalised to zeros, not to NaNs.
    @Test func fewRowsAreFinite() {
        let none = RunningMoments(keySize: 3, valueSize: 4)
        none.observe(keys: Matrix(rows: 0, columns: 3), gradients: Matrix(rows: 0, columns: 4))
        #expect(none.count == 0)
        expectClose(none.normalize(keys: keys, gradients: gradients), zip(keys.doubles, gradients.doubles).flatMap { $0 + $1 }, within: 1e-6, "as they are")
        let one = observed([0, 1])
        #expect(one.normalize(keys: keys.rows(0..<1), gradients: gradients.rows(0..<1)).elements.allSatisfy { $0 == 0 })
        let constant = RunningMoments(keySize: 1, valueSize: 1), fives = Matrix(rows: 4, columns: 1, [5, 5, 5, 5])
        constant.observe(keys: fives, gradients: fives)
        #expect(constant.normalize(keys: fives, gradients: fives).elements.allSatisfy { $0 == 0 })
    }
}
