import LinearAlgebra
import TensorCore
import Testing

/// The rows, columns and terms of a product.
struct ProductShape: Codable, Sendable {
    let m: Int, n: Int, k: Int

    /// Sizes about the register tiles (rows of 4, 6 and 12; columns of 8, 16 and 32), the blocks of 256 terms, the 240 rows that stay in
    /// cache, the 960 that are packed at a time, and the 512 (AVX2) or 1024 (AVX-512) columns from which four panels are packed together.
    static let awkward: [ProductShape] = {
        let sizes = [1, 5, 6, 7, 15, 16, 17, 31, 33, 255, 256, 257, 300]
        let spread = sizes.indices.map { ProductShape(m: sizes[$0], n: sizes[($0 + 5) % 13], k: sizes[($0 + 9) % 13]) }
        return spread + [ProductShape(m: 1, n: 1, k: 1), ProductShape(m: 13, n: 40, k: 600), ProductShape(m: 975, n: 17, k: 33)]
            + [ProductShape(m: 250, n: 530, k: 40), ProductShape(m: 5, n: 1061, k: 300)]
    }()
}

@Suite struct MultiplyTests {
    @Test(arguments: kernelVariants) func everyShapeAndTransposition(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for shape in ProductShape.awkward { checkTranspositions(shape) }
        }
    }

    @Test(arguments: kernelVariants) func storedWeights(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for shape in ProductShape.awkward where shape.m < 100 { checkStoredWeights(shape) }
        }
    }

    @Test(arguments: kernelVariants) func nothingTimesNothing(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for (m, n, k) in [(0, 3, 4), (3, 0, 4), (0, 0, 0)] {
                #expect(multiply(normals(m, k, lane: 1).operand, normals(k, n, lane: 2).operand).count == 0)
            }
            let out = normals(3, 20, lane: 3)
            let left = normals(3, 0, lane: 1).operand, right = normals(0, 20, lane: 2).operand
            multiply(left, right, into: out, accumulate: true)
            expectSame(out, normals(3, 20, lane: 3), "nothing added")
            multiply(left, right, into: out)
            #expect(out.elements.allSatisfy { $0 == 0 })
        }
    }

    /// A NaN reaches the elements whose row or column it is in, and only these.
    @Test(arguments: kernelVariants) func notANumberStaysInItsRowAndColumn(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let a = normals(20, 30, lane: 1), b = normals(30, 40, lane: 2)
            a[7, 29] = .nan
            b[0, 33] = .infinity
            let c = multiply(a.operand, b.operand)
            for row in 0..<20 {
                for column in 0..<40 { #expect(c[row, column].isFinite == (row != 7 && column != 33), "element \(row), \(column)") }
            }
        }
    }
}

private func checkTranspositions(_ shape: ProductShape) {
    let a = normals(shape.m, shape.k, lane: 1), b = normals(shape.k, shape.n, lane: 2), before = normals(shape.m, shape.n, lane: 3)
    let expected = product(a, b), added = zip(expected, before.elements).map { $0 + Double($1) }
    let c = multiply(a.operand, b.operand)
    expectClose(c, expected, "\(shape)")
    let at = transposed(a), bt = transposed(b)
    for (name, left, right) in [
        ("a bᵀᵀ", a.operand, bt.transposed), ("aᵀᵀ b", at.transposed, b.operand), ("aᵀᵀ bᵀᵀ", at.transposed, bt.transposed),
    ] {
        expectSame(multiply(left, right), c, "\(name) against a b, \(shape)")
    }
    let sum = before.copy()
    multiply(a.operand, b.operand, into: sum, accumulate: true)
    expectClose(sum, added, "accumulated, \(shape)")
}

/// Weights in half precision, and weights with an edit on top: what is multiplied is the widened weight plus the edit, rounded to float32.
private func checkStoredWeights(_ shape: ProductShape) {
    let a = normals(shape.m, shape.k, lane: 1), addend = normals(shape.n, shape.k, lane: 4)
    for element in [Operand.Element.float32, .float16, .bfloat16] {
        let weight = StoredWeight(element, rows: shape.n, columns: shape.k)
        let sum = weight.decoded.copy()
        sum.add(addend)
        for (values, addend) in [(weight.decoded, nil), (sum, addend)] {
            let operand = weight.operand(addend), name = "\(element), \(addend == nil ? "plain" : "with an addend"), \(shape)"
            // Forward multiplies by the transposed weight and backward by the weight itself.
            expectClose(multiply(a.operand, operand.transposed), product(a, transposed(values)), name)
            expectSame(multiply(a.operand, operand.transposed), multiply(a.operand, values.transposed), "\(name) against float32")
            let back = normals(shape.m, shape.n, lane: 5)
            expectClose(multiply(back.operand, operand), product(back, values), "\(name), backward")
        }
    }
}

private func expectClose(_ found: Matrix, _ expected: [Double], _ what: String) {
    let error = relativeError(found, expected)
    #expect(error <= 1e-6, "\(what): relative error \(error)")
}

/// A weight [rows, columns] as a file may store it, and its value.
private struct StoredWeight {
    let decoded: Matrix
    private let element: Operand.Element
    private let storage: Bytes

    private final class Bytes {
        let pointer: UnsafeMutableRawPointer
        init(count: Int) { pointer = .allocate(byteCount: count, alignment: 64) }
        deinit { pointer.deallocate() }
    }

    init(_ element: Operand.Element, rows: Int, columns: Int) {
        self.element = element
        decoded = normals(rows, columns, lane: 6)
        storage = Bytes(count: 4 * rows * columns)
        for index in 0..<rows * columns {
            let value = decoded.pointer[index]
            switch element {
            case .float32: storage.pointer.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
            case .float16:
                storage.pointer.storeBytes(of: Float16(value), toByteOffset: 2 * index, as: Float16.self)
                decoded.pointer[index] = Float(Float16(value))
            case .bfloat16:
                let upper = UInt16(value.bitPattern >> 16)
                storage.pointer.storeBytes(of: upper, toByteOffset: 2 * index, as: UInt16.self)
                decoded.pointer[index] = Float(bitPattern: UInt32(upper) << 16)
            }
        }
    }

    func operand(_ addend: Matrix?) -> Operand {
        Operand(data: storage.pointer, element: element, rows: decoded.rows, columns: decoded.columns, owner: storage, addend: addend)
    }
}
