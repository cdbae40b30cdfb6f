import CKernels
import Foundation
import TensorCore

/// One side of a matrix product: a matrix or its transpose, float32 or as a file stores it, with an optional
/// float32 addend of the same shape (an edit of the weight). Keeps what it points to alive.
package struct Operand: @unchecked Sendable {
    package let rows: Int
    package let columns: Int
    fileprivate let raw: amend_operand
    private let owners: [AnyObject]
    private let matrices: [Matrix]

    /// How the elements of a weight are stored.
    package enum Element: Sendable {
        case float32, float16, bfloat16
        case q4_0, q4_1, q5_0, q5_1, q8_0  // ggml's blocks of 32

        fileprivate var raw: amend_element {
            switch self {
            case .float32: AMEND_F32
            case .float16: AMEND_F16
            case .bfloat16: AMEND_BF16
            case .q4_0: AMEND_Q4_0
            case .q4_1: AMEND_Q4_1
            case .q5_0: AMEND_Q5_0
            case .q5_1: AMEND_Q5_1
            case .q8_0: AMEND_Q8_0
            }
        }

        /// Elements that are stored together.
        package var blockSize: Int {
            switch self {
            case .float32, .float16, .bfloat16: 1
            case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
            }
        }

        /// Bytes of such a block, as ggml lays it out, or of an element.
        package var blockBytes: Int {
            switch self {
            case .float32: 4
            case .float16, .bfloat16: 2
            case .q4_0: 18
            case .q4_1: 20
            case .q5_0: 22
            case .q5_1: 24
            case .q8_0: 34
            }
        }

        /// Writes `count` elements of `data`, from element `first` on, to `out` as float32.
        package func widen(_ data: UnsafeRawPointer, first: Int, count: Int, into out: UnsafeMutablePointer<Float>) {
            amend_widen(raw, data, first, count, out)
        }
    }

    fileprivate init(rows: Int, columns: Int, raw: amend_operand, owners: [AnyObject], matrices: [Matrix]) {
        self.rows = rows
        self.columns = columns
        self.raw = raw
        self.owners = owners
        self.matrices = matrices
    }

    /// A row-major weight at `data` whose rows lie `stride` elements apart, kept alive by `owner`.
    package init(data: UnsafeRawPointer, element: Element, rows: Int, columns: Int, stride: Int, owner: AnyObject) {
        precondition(stride % element.blockSize == 0, "rows of \(stride) elements are not whole blocks of \(element.blockSize)")
        let raw = amend_operand(data: data, row_stride: stride, column_stride: 1, element: element.raw, addend: nil)
        self.init(rows: rows, columns: columns, raw: raw, owners: [owner], matrices: [])
    }

    /// A row-major weight without gaps, with a matrix of its shape to be added to it.
    package func adding(_ addend: Matrix) -> Operand {
        precondition(
            addend.rows == rows && addend.columns == columns && raw.row_stride == columns && matrices.isEmpty,
            "an addend of \(addend.rows) × \(addend.columns) for a weight of \(rows) × \(columns), rows \(raw.row_stride) apart")
        var sum = raw
        sum.addend = UnsafePointer(addend.pointer)
        return Operand(rows: rows, columns: columns, raw: sum, owners: owners, matrices: [addend])
    }

    package var transposed: Operand {
        var swapped = raw
        swap(&swapped.row_stride, &swapped.column_stride)
        return Operand(rows: columns, columns: rows, raw: swapped, owners: owners, matrices: matrices)
    }

    /// Rows `range` of this operand.
    package func rows(_ range: Range<Int>) -> Operand {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of an operand of \(rows) rows")
        precondition(raw.element == AMEND_F32 && raw.addend == nil, "row ranges are taken of plain float32 operands")
        var part = raw
        part.data = raw.data.advanced(by: range.lowerBound * raw.row_stride * MemoryLayout<Float>.stride)
        return Operand(rows: range.count, columns: columns, raw: part, owners: owners, matrices: matrices)
    }
}

extension Matrix {
    package var operand: Operand {
        Operand(
            rows: rows, columns: columns,
            raw: amend_operand(data: pointer, row_stride: columns, column_stride: 1, element: AMEND_F32, addend: nil),
            owners: [], matrices: [self])
    }

    package var transposed: Operand { operand.transposed }
}

/// How products are computed. In bfloat16 both sides are rounded to it and sums are float32, in the order of processors that multiply pairs
/// of them (AVX-512 BF16) or tiles (AMX); others compute the same numbers, with nothing gained.
package enum Arithmetic: String, Sendable, CaseIterable {
    case float32 = "f32"
    case bfloat16 = "bf16"
    case bfloat16Tiles = "bf16-tiles"

    /// What this processor does fastest, by its instructions.
    package static var fastest: Arithmetic {
        switch amend_fastest_arithmetic() {
        case AMEND_ARITHMETIC_BF16_TILES: .bfloat16Tiles
        case AMEND_ARITHMETIC_BF16: .bfloat16
        default: .float32
        }
    }

    fileprivate var raw: amend_arithmetic {
        switch self {
        case .float32: AMEND_ARITHMETIC_F32
        case .bfloat16: AMEND_ARITHMETIC_BF16
        case .bfloat16Tiles: AMEND_ARITHMETIC_BF16_TILES
        }
    }
}

/// product = a · b, or product += a · b. Each element's bits depend on its row of `a` and its column of `b` alone: not on
/// the other rows and columns, nor on the number of threads. `a` is float32 without addend.
package func multiply(_ a: Operand, _ b: Operand, into product: Matrix, accumulate: Bool = false, in arithmetic: Arithmetic = .float32) {
    precondition(
        a.columns == b.rows && product.rows == a.rows && product.columns == b.columns,
        "\(a.rows) × \(a.columns) times \(b.rows) × \(b.columns) into \(product.rows) × \(product.columns)")
    precondition(a.raw.element == AMEND_F32 && a.raw.addend == nil, "the left operand is plain float32")
    withExtendedLifetime((a, b)) {
        amend_gemm(arithmetic.raw, a.rows, b.columns, a.columns, a.raw, b.raw, product.pointer, product.columns, accumulate ? 1 : 0)
    }
}

/// products[i] = a · b[i], for up to four right sides: the bits of separate products, in less time for small ones.
package func multiply(_ a: Operand, _ b: [Operand], into products: [Matrix], in arithmetic: Arithmetic = .float32) {
    precondition(b.count == products.count && b.count <= AMEND_MOST_TARGETS, "\(b.count) right sides and \(products.count) products")
    precondition(a.raw.element == AMEND_F32 && a.raw.addend == nil, "the left operand is plain float32")
    let targets = zip(b, products).map { right, product in
        precondition(
            a.columns == right.rows && product.rows == a.rows && product.columns == right.columns,
            "\(a.rows) × \(a.columns) times \(right.rows) × \(right.columns) into \(product.rows) × \(product.columns)")
        return amend_target(n: right.columns, b: right.raw, c: product.pointer, c_stride: product.columns, accumulate: 0)
    }
    withExtendedLifetime((a, b, products)) { amend_gemm_many(arithmetic.raw, a.rows, a.columns, a.raw, Int32(targets.count), targets) }
}

package func multiply(_ a: Operand, _ b: Operand, in arithmetic: Arithmetic = .float32) -> Matrix {
    let product = Matrix(uninitializedRows: a.rows, columns: b.columns)
    multiply(a, b, into: product, in: arithmetic)
    return product
}

/// The vector instructions in use: "avx512amx", "avx512bf16", "avx512", "avx2" or "portable".
package var kernelVariant: String { String(cString: amend_kernel_variant()) }

/// What the environment variable AMEND_KERNELS asks for, where this processor cannot run it; nil where all is well.
package var impossibleKernels: String? {
    ProcessInfo.processInfo.environment["AMEND_KERNELS"].flatMap { $0.isEmpty || $0 == kernelVariant ? nil : $0 }
}

/// Floating-point operations of all matrix products so far (2 m n k each), as asked for: packing and padding do not count.
package var matrixOperations: Double { amend_gemm_operations() }

/// Bytes that all matrix products so far had to move at least: operands as they are stored, and results, each once.
package var matrixBytes: Double { amend_gemm_bytes() }

/// Floating-point operations per second of matrix tiles that multiply random numbers in registers alone, on all threads: what no product of
/// `bf16-tiles` can exceed. Nil where tiles are not in use. Takes some milliseconds.
package func measureTileRate() -> Double? {
    let times = 20_000, threads = Threads.count, operations = amend_multiply_tiles(1)
    guard operations > 0 else { return nil }
    var best = 0.0
    for _ in 0..<5 {
        let start = ContinuousClock.now
        parallelFor(threads) { _ in _ = amend_multiply_tiles(times) }
        best = max(best, Double(threads * times) * operations / ((ContinuousClock.now - start) / .seconds(1)))
    }
    return best
}
