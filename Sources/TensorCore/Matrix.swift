import CKernels

/// Owned float32 storage, aligned to a cache line and freed with its last reference.
public final class FloatBuffer: @unchecked Sendable {
    /// The first float. Valid while the buffer lives.
    public let pointer: UnsafeMutablePointer<Float>
    /// How many floats.
    public let count: Int

    /// Uninitialised storage of `count` floats. Ends the process where there is no memory for it: see `Memory`.
    public init(count: Int, for what: @autoclosure () -> String = "numbers") {
        precondition(count >= 0, "a buffer of \(count) floats")
        self.count = count
        let bytes = max(count, 1) * MemoryLayout<Float>.stride
        pointer = Memory.allocate(bytes: bytes, for: what()).bindMemory(to: Float.self, capacity: max(count, 1))
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }
}

/// A row-major float32 matrix: a handle on shared storage. Copies of the handle and row ranges of it see the same
/// elements; `copy()` makes new ones. Rows are contiguous. Concurrent writers must keep to rows of their own.
public struct Matrix: @unchecked Sendable {
    /// The number of rows.
    public let rows: Int
    /// The number of columns: floats from one row to the next.
    public let columns: Int
    private let buffer: FloatBuffer
    private let offset: Int

    /// Zeros.
    public init(rows: Int, columns: Int) {
        self.init(uninitializedRows: rows, columns: columns)
        fill(0)
    }

    /// Elements to be written before they are read.
    public init(uninitializedRows rows: Int, columns: Int) {
        precondition(rows >= 0 && columns >= 0, "a matrix of \(rows) × \(columns)")
        self.init(buffer: FloatBuffer(count: rows * columns, for: "a matrix of \(rows) × \(columns)"), offset: 0, rows: rows, columns: columns)
    }

    /// `elements` row by row, as many as there are.
    public init(rows: Int, columns: Int, _ elements: [Float]) {
        precondition(elements.count == rows * columns, "\(elements.count) elements for a matrix of \(rows) × \(columns)")
        self.init(uninitializedRows: rows, columns: columns)
        elements.withUnsafeBufferPointer { if let base = $0.baseAddress { pointer.update(from: base, count: $0.count) } }
    }

    private init(buffer: FloatBuffer, offset: Int, rows: Int, columns: Int) {
        self.buffer = buffer
        self.offset = offset
        self.rows = rows
        self.columns = columns
    }

    /// The number of elements.
    public var count: Int { rows * columns }

    /// What keeps the elements alive.
    public var owner: AnyObject { buffer }

    /// The first element. Valid while any handle on the storage lives.
    public var pointer: UnsafeMutablePointer<Float> { buffer.pointer + offset }

    /// The first element of a row.
    public func row(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * columns }

    /// One element. Not checked.
    public subscript(row: Int, column: Int) -> Float {
        get { pointer[row * columns + column] }
        nonmutating set { pointer[row * columns + column] = newValue }
    }

    /// The same elements, seen as rows `range` of this matrix.
    public func rows(_ range: Range<Int>) -> Matrix {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of a matrix of \(rows) rows")
        return Matrix(buffer: buffer, offset: offset + range.lowerBound * columns, rows: range.count, columns: columns)
    }

    /// Elements of `other` from `offset` on, seen as a matrix.
    public init(view other: Matrix, offset: Int, rows: Int, columns: Int) {
        precondition(offset >= 0 && offset + rows * columns <= other.count, "\(rows) × \(columns) at \(offset) of \(other.count) elements")
        self.init(buffer: other.buffer, offset: other.offset + offset, rows: rows, columns: columns)
    }

    /// The same elements in another shape of the same size.
    public func reshaped(rows: Int, columns: Int) -> Matrix {
        precondition(rows * columns == count, "\(self.rows) × \(self.columns) seen as \(rows) × \(columns)")
        return Matrix(buffer: buffer, offset: offset, rows: rows, columns: columns)
    }

    /// The same elements in storage of their own.
    public func copy() -> Matrix {
        let result = Matrix(uninitializedRows: rows, columns: columns)
        result.assign(self)
        return result
    }

    /// Copies the elements of a matrix of the same shape.
    public func assign(_ other: Matrix) {
        precondition(
            other.rows == rows && other.columns == columns,
            "\(other.rows) × \(other.columns) assigned to \(rows) × \(columns)")
        pointer.update(from: other.pointer, count: count)
    }

    /// Sets all elements.
    public func fill(_ value: Float) { pointer.update(repeating: value, count: count) }

    /// self += other
    public func add(_ other: Matrix) {
        precondition(other.count == count, "\(other.count) elements added to \(count)")
        amend_add(pointer, other.pointer, count)
    }

    /// self += factor · other
    public func add(_ other: Matrix, times factor: Float) {
        precondition(other.count == count, "\(other.count) elements added to \(count)")
        amend_axpy(pointer, factor, other.pointer, count)
    }

    /// self *= factor
    public func scale(by factor: Float) { amend_scale(pointer, factor, count) }

    /// Σ x², in double precision.
    public var sumOfSquares: Double { amend_sum_of_squares(pointer, count) }

    /// Whether no element is infinite or not a number.
    public var isFinite: Bool { amend_all_finite(pointer, count) != 0 }

    /// A copy, row by row.
    public var elements: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

    /// [columns, rows] in storage of its own.
    public func transposedCopy() -> Matrix {
        let result = Matrix(uninitializedRows: columns, columns: rows)
        parallelFor(columns, grain: 16) { column in
            let out = result.row(column)
            for row in 0..<rows { out[row] = self[row, column] }
        }
        return result
    }

    /// The rows of `parts` one below the other. All have `columns` columns.
    public static func stacked(_ parts: [Matrix], columns: Int) -> Matrix {
        let result = Matrix(uninitializedRows: parts.reduce(0) { $0 + $1.rows }, columns: columns)
        var row = 0
        for part in parts {
            result.rows(row..<row + part.rows).assign(part)
            row += part.rows
        }
        return result
    }
}

/// Σ x y over all elements, in double precision.
public func dot(_ x: Matrix, _ y: Matrix) -> Double {
    precondition(x.count == y.count, "the dot product of \(x.count) and \(y.count) elements")
    return amend_dot_double(x.pointer, y.pointer, x.count)
}
