import LinearAlgebra
import TensorCore
import TestSupport
import Testing

/// Products with weights as files store them have the bits of products with the same weights in float32.
@Suite struct StoredWeightTests {
    /// Terms that cut blocks of 32 elements: 640 are taken 216 at a time, 800 as 200. Columns backward (k) enough for strips of two and four
    /// panels, forward (n) not whole blocks.
    static let shapes =
        ProductShape.awkward.filter { $0.m < 100 } + [
            ProductShape(m: 3, n: 7, k: 32), ProductShape(m: 5, n: 33, k: 288), ProductShape(m: 13, n: 70, k: 576), ProductShape(m: 7, n: 300, k: 640),
            ProductShape(m: 2, n: 40, k: 800), ProductShape(m: 3, n: 17, k: 1088), ProductShape(m: 1, n: 5, k: 2112),
        ]

    @Test(arguments: kernelVariants) func blocksDecodeAsGGMLDoes(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for element in StoredWeight.blocks { checkWidening(StoredWeight(element, rows: 1, columns: 32 * 100, wild: true)) }
        }
    }

    @Test(arguments: kernelVariants) func productsHaveTheBitsOfFloat32(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for shape in Self.shapes { checkProducts(shape) }
        }
    }

    /// Columns of a wider weight: its rows lie further apart than they are long.
    @Test(arguments: kernelVariants) func rowsMayLieApart(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for element in StoredWeight.elements {
                let (part, values) = StoredWeight(element, rows: 45, columns: 640).columns(64..<384)
                let a = normals(7, 320, lane: 1), back = normals(7, 45, lane: 2)
                expectSame(multiply(a.operand, part.transposed), multiply(a.operand, values.transposed), "\(element)")
                expectSame(multiply(back.operand, part), multiply(back.operand, values.operand), "\(element), backward")
            }
        }
    }

    @Test(arguments: kernelVariants) func severalAtOnceGiveTheBitsOfEach(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let a = normals(9, 640, lane: 1)
            let weights = [(Operand.Element.q8_0, 50), (.float32, 33), (.q4_1, 300), (.bfloat16, 1)].map { StoredWeight($0, rows: $1, columns: 640) }
            let products = weights.map { Matrix(rows: 9, columns: $0.decoded.rows) }
            multiply(a.operand, weights.map { $0.operand().transposed }, into: products)
            for (weight, found) in zip(weights, products) {
                expectSame(found, multiply(a.operand, weight.decoded.transposed), "\(weight.element) among others")
            }
        }
    }

    @Test(.enabled(if: kernelVariants.contains("avx512"), "this processor has no AVX-512"))
    func avx2AndAVX512Agree() async {
        await #expect(processExitsWith: .success) {
            for element in StoredWeight.blocks {
                let weight = StoredWeight(element, rows: 70, columns: 640), a = normals(5, 640, lane: 1), back = normals(5, 70, lane: 2)
                useKernels("avx2")
                let forward = multiply(a.operand, weight.operand().transposed), backward = multiply(back.operand, weight.operand())
                useKernels("avx512")
                expectSame(multiply(a.operand, weight.operand().transposed), forward, "\(element)")
                expectSame(multiply(back.operand, weight.operand()), backward, "\(element), backward")
            }
        }
    }
}

/// From any element on and of any length, and nothing beyond. Infinite scales make NaNs, whose signs are no one's promise.
private func checkWidening(_ weight: StoredWeight) {
    for first in [0, 1, 31, 32, 33, 64, 100, 2000] {
        for count in [0, 1, 5, 31, 32, 33, 63, 64, 65, 200, 1200] {
            var out = [Float](repeating: 123, count: count + 3)
            weight.element.widen(weight.data, first: first, count: count, into: &out)
            let different = (0..<count).count {
                let expected = weight.decoded.pointer[first + $0]
                return out[$0].bitPattern != expected.bitPattern && !(out[$0].isNaN && expected.isNaN)
            }
            #expect(different == 0, "\(weight.element): \(different) of \(count) elements from \(first) on have other bits")
            #expect(out[count...].allSatisfy { $0 == 123 }, "\(weight.element): wrote beyond \(count) elements")
        }
    }
}

/// Plain weights and weights with an edit on top: what is multiplied is the widened weight plus the edit, rounded to float32.
private func checkProducts(_ shape: ProductShape) {
    let a = normals(shape.m, shape.k, lane: 1), back = normals(shape.m, shape.n, lane: 5), addend = normals(shape.n, shape.k, lane: 4)
    for element in StoredWeight.elements where shape.k % element.blockSize == 0 {
        let weight = StoredWeight(element, rows: shape.n, columns: shape.k)
        let sum = weight.decoded.copy()
        sum.add(addend)
        for (values, addend) in [(weight.decoded, nil), (sum, addend)] {
            let operand = weight.operand(addend), name = "\(element), \(addend == nil ? "plain" : "with an addend"), \(shape)"
            // Forward multiplies by the transposed weight and backward by the weight itself.
            let forward = multiply(a.operand, operand.transposed), backward = multiply(back.operand, operand)
            expectSame(forward, multiply(a.operand, values.transposed), name)
            expectSame(backward, multiply(back.operand, values.operand), "\(name), backward")
            let errors = (relativeError(forward.elements, product(a, transposed(values))), relativeError(backward.elements, product(back, values)))
            #expect(errors.0 <= 1e-6 && errors.1 <= 1e-6, "\(name): relative errors \(errors)")
        }
    }
}
