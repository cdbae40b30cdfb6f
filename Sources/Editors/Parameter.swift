import TensorCore

/// One learned tensor of a hypernetwork, whole on every rank; its gradient and Adam moments are kept only for the rows that
/// this rank owns.
///
/// The rows are cut into `pieceCount` pieces, a number that depends on the configuration alone; a rank owns neighbouring
/// pieces. Sums over a tensor run piece by piece, so they do not depend on who owns what.
package final class Parameter {
    /// The value before training, which the seed gives back at any time.
    package enum Start: Sendable {
        case constant(Float)
        case normal(RandomStream, deviation: Float)
    }

    package let name: String
    package let shape: [Int]
    package let start: Start
    /// Whether these are single numbers of modules, such as η and λ.
    package let isScalars: Bool
    /// Whether its logarithm is what is learned: it stays positive, and a step is a share of it. The gradient is the logarithm's.
    package let isLogarithmic: Bool
    package let value: Matrix  // [rows, columns]; a vector has one row
    package let pieceCount: Int
    package let ownedPieces: Range<Int>
    /// Of the owned rows.
    package let gradient: Matrix
    package let firstMoment: Matrix
    package let secondMoment: Matrix
    /// Of the owned rows, the mean over updates that `average` has made; nil: none is kept.
    package private(set) var average: Matrix?

    init(name: String, shape: [Int], start: Start, ownership: Ownership, isScalars: Bool = false, isLogarithmic: Bool = false) {
        precondition((1...2).contains(shape.count), "\(name) has \(shape.count) dimensions")
        self.name = name
        self.shape = shape
        self.start = start
        self.isScalars = isScalars
        self.isLogarithmic = isLogarithmic
        let rows = shape.count == 2 ? shape[0] : 1, columns = shape.last!
        pieceCount = ownership.pieces
        ownedPieces = ownership.owned
        value = Matrix(uninitializedRows: rows, columns: columns)
        let owned = Self.rows(ownership.owned, of: ownership.pieces, among: rows)
        gradient = Matrix(rows: owned.count, columns: columns)
        firstMoment = Matrix(rows: owned.count, columns: columns)
        secondMoment = Matrix(rows: owned.count, columns: columns)
        reset()
    }

    /// The rows of neighbouring pieces.
    private static func rows(_ pieces: Range<Int>, of count: Int, among rows: Int) -> Range<Int> {
        rows * pieces.lowerBound / count..<rows * pieces.upperBound / count
    }

    package func rows(ofPieces pieces: Range<Int>) -> Range<Int> { Self.rows(pieces, of: pieceCount, among: value.rows) }

    package var ownedRows: Range<Int> { rows(ofPieces: ownedPieces) }

    /// Back to the value before training.
    package func reset() {
        let columns = value.columns
        parallelFor(value.rows, grain: max(1, 1 << 14 / max(1, columns))) { row in
            fillStart(row * columns..<(row + 1) * columns, into: value.row(row))
        }
    }

    /// Keeps an average from here on, which begins as the value is.
    package func beginAverage() { average = value.rows(ownedRows).copy() }

    /// The average moves to the value by a share of what lies between them.
    package func average(_ share: Float) {
        guard let average else { return }
        average.scale(by: 1 - share)
        average.add(value.rows(ownedRows), times: share)
    }

    /// The value before training of elements `range`, in row-major order.
    package func fillStart(_ range: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        switch start {
        case .constant(let constant): out.update(repeating: constant, count: range.count)
        case .normal(let stream, let deviation):
            stream.fillNormal(range, into: out)
            if deviation != 1 { for index in 0..<range.count { out[index] *= deviation } }
        }
    }

    /// Σ gradient² over piece `piece`, which this rank owns.
    package func gradientSquares(ofPiece piece: Int) -> Double {
        let rows = rows(ofPieces: piece..<piece + 1)
        return gradient.rows(rows.lowerBound - ownedRows.lowerBound..<rows.upperBound - ownedRows.lowerBound).sumOfSquares
    }
}

/// Which of a parameter's pieces a rank owns.
package struct Ownership: Sendable, Equatable {
    package let pieces: Int
    package let owned: Range<Int>

    package init(pieces: Int, owned: Range<Int>) {
        precondition(pieces >= 1 && owned.lowerBound >= 0 && owned.upperBound <= pieces, "pieces \(owned) of \(pieces)")
        self.pieces = pieces
        self.owned = owned
    }

    /// One rank that owns everything.
    package static func everything(pieces: Int) -> Ownership { Ownership(pieces: pieces, owned: 0..<pieces) }
}
