import LinearAlgebra
import TensorCore
import TestSupport
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

private func expectClose(_ found: Matrix, _ expected: [Double], _ what: String) {
    let error = relativeError(found.elements, expected)
    #expect(error <= 1e-6, "\(what): relative error \(error)")
}
