import LinearAlgebra
import TensorCore
import TestSupport
import Testing

/// An element's bits depend on its row of `a` and its column of `b` alone: the promise that every distributed sum rests on.
@Suite struct MultiplyBitsTests {
    static let shapes = [
        ProductShape(m: 17, n: 33, k: 300), ProductShape(m: 100, n: 70, k: 257), ProductShape(m: 64, n: 300, k: 31),
        ProductShape(m: 5, n: 257, k: 256), ProductShape(m: 20, n: 1100, k: 260),
    ]

    @Test(arguments: kernelVariants) func cutsGiveTheSameBits(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for arithmetic in Arithmetic.allCases {
                for shape in Self.shapes { checkCuts(shape, arithmetic) }
            }
        }
    }

    @Test(arguments: kernelVariants) func threadsGiveTheSameBits(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let products = [1, 2, 3].map { threads in
                Threads.start(threads)
                return Self.shapes.map { multiply(normals($0.m, $0.k, lane: 1).operand, normals($0.k, $0.n, lane: 2).operand) }
            }
            for (index, shape) in Self.shapes.enumerated() {
                expectSame(products[1][index], products[0][index], "two threads against one, \(shape)")
                expectSame(products[2][index], products[0][index], "three threads against one, \(shape)")
            }
        }
    }

    @Test(.enabled(if: kernelVariants.contains("avx512"), "this processor has no AVX-512"))
    func avx2AndAVX512Agree() async {
        await #expect(processExitsWith: .success) {
            for shape in ProductShape.awkward {
                let a = normals(shape.m, shape.k, lane: 1), b = normals(shape.k, shape.n, lane: 2)
                useKernels("avx2")
                let expected = multiply(a.operand, b.operand)
                useKernels("avx512")
                expectSame(multiply(a.operand, b.operand), expected, "\(shape)")
            }
        }
    }
}

private func checkCuts(_ shape: ProductShape, _ arithmetic: Arithmetic) {
    let a = normals(shape.m, shape.k, lane: 1), bt = normals(shape.n, shape.k, lane: 2)
    let before = normals(shape.m, shape.n, lane: 3), whole = before.copy()
    multiply(a.operand, bt.transposed, into: whole, accumulate: true, in: arithmetic)
    for pieces in [2, 3, 5] {
        let byRows = before.copy()
        for piece in 0..<pieces {
            let rows = shape.m * piece / pieces..<shape.m * (piece + 1) / pieces
            multiply(a.operand.rows(rows), bt.transposed, into: byRows.rows(rows), accumulate: true, in: arithmetic)
        }
        expectSame(byRows, whole, "\(pieces) pieces by rows, \(shape)")

        for piece in 0..<pieces {
            let columns = shape.n * piece / pieces..<shape.n * (piece + 1) / pieces
            let strip = transposed(transposed(before).rows(columns))
            multiply(a.operand, bt.rows(columns).transposed, into: strip, accumulate: true, in: arithmetic)
            expectSame(strip, transposed(transposed(whole).rows(columns)), "columns \(columns), \(shape)")
        }
    }
}
