import LinearAlgebra
import TensorCore
import TestSupport
import Testing

/// Products of numbers rounded to bfloat16.
@Suite struct BrainFloatTests {
    @Test(arguments: kernelVariants) func productsAreSumsOfPairs(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for shape in ProductShape.awkward {
                let a = normals(shape.m, shape.k, lane: 1), b = normals(shape.k, shape.n, lane: 2), before = normals(shape.m, shape.n, lane: 3)
                let expected = sumOfPairs(a, b, onto: before), found = before.copy()
                multiply(a.operand, b.operand, into: found, accumulate: true, in: .bfloat16)
                expectSame(found, expected, "\(shape)")
                let across = before.copy()
                multiply(transposed(a).transposed, transposed(b).transposed, into: across, accumulate: true, in: .bfloat16)
                expectSame(across, expected, "\(shape), transposed")
            }
        }
    }

    @Test(arguments: kernelVariants) func tiledProductsAreSumsOfBlocks(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for shape in ProductShape.awkward {
                let a = normals(shape.m, shape.k, lane: 1), b = normals(shape.k, shape.n, lane: 2), before = normals(shape.m, shape.n, lane: 3)
                let expected = sumOfBlocks(a, b, onto: before), found = before.copy()
                multiply(a.operand, b.operand, into: found, accumulate: true, in: .bfloat16Tiles)
                expectSame(found, expected, "\(shape)")
                let across = before.copy()
                multiply(transposed(a).transposed, transposed(b).transposed, into: across, accumulate: true, in: .bfloat16Tiles)
                expectSame(across, expected, "\(shape), transposed")
            }
        }
    }

    /// Stored weights are rounded once, after their addend: what float32 weights of the same values give.
    @Test(arguments: kernelVariants) func storedWeightsAreRoundedOnce(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for element in StoredWeight.elements {
                let weight = StoredWeight(element, rows: 45, columns: 640), addend = normals(45, 640, lane: 4)
                let sum = weight.decoded.copy()
                sum.add(addend)
                let a = normals(7, 640, lane: 1), back = normals(7, 45, lane: 2)
                for (stored, decoded) in [(weight.operand(), weight.decoded), (weight.operand(addend), sum)] {
                    for arithmetic in [Arithmetic.bfloat16, .bfloat16Tiles] {
                        expectSame(
                            multiply(a.operand, stored.transposed, in: arithmetic), multiply(a.operand, decoded.transposed, in: arithmetic),
                            "\(element), \(arithmetic)")
                        expectSame(
                            multiply(back.operand, stored, in: arithmetic), multiply(back.operand, decoded.operand, in: arithmetic),
                            "\(element), \(arithmetic), backward")
                    }
                }
            }
        }
    }

    @Test(arguments: kernelVariants) func roundsToNearestEven(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let cases: [(bits: UInt32, rounded: UInt32)] = [
                (0x3F80_8000, 0x3F80_0000), (0x3F81_8000, 0x3F82_0000), (0x3F80_8001, 0x3F81_0000), (0x3F80_7FFF, 0x3F80_0000),  // about a tie
                (0xBFFF_FFFF, 0xC000_0000), (0x7F7F_FFFF, 0x7F80_0000), (0x7F80_0000, 0x7F80_0000), (0xFF80_0000, 0xFF80_0000),
                (0x007F_FFFF, 0), (0x0000_0001, 0), (0x0080_0000, 0x0080_0000),  // subnormal numbers, and the smallest that is not
            ]
            let one = Matrix(rows: 1, columns: 1)
            one[0, 0] = 1
            for (bits, rounded) in cases {
                let x = Matrix(rows: 1, columns: 1)
                x[0, 0] = Float(bitPattern: bits)
                for found in [multiply(x.operand, one.operand, in: .bfloat16), multiply(one.operand, x.operand, in: .bfloat16)] {
                    #expect(found[0, 0].bitPattern == rounded, "\(bits) became \(found[0, 0].bitPattern), expected \(rounded)")
                }
            }
            for bits in [0x7F80_0001, 0xFFFF_FFFF, 0x7FC0_0000] as [UInt32] {
                let x = Matrix(rows: 1, columns: 1)
                x[0, 0] = Float(bitPattern: bits)
                #expect(multiply(x.operand, one.operand, in: .bfloat16)[0, 0].isNaN, "\(bits)")
            }
        }
    }
}

/// onto + a b, as gemm.h fixes it: blocks of k, in each pairs of terms, the odd one first. The product of two rounded numbers is exact.
private func sumOfPairs(_ a: Matrix, _ b: Matrix, onto before: Matrix) -> Matrix {
    let left = a.elements.map(roundedToBrainFloat), right = transposed(b).elements.map(roundedToBrainFloat), k = a.columns, result = before.copy()
    let blocks = (k + 255) / 256, length = ((k + blocks - 1) / blocks + 7) / 8 * 8
    for i in 0..<a.rows {
        for j in 0..<b.columns {
            for first in stride(from: 0, to: k, by: length) {
                let end = min(k, first + length)
                var sum: Float = 0, p = first
                while p < end {
                    if p + 1 < end { sum += left[i * k + p + 1] * right[j * k + p + 1] }
                    sum += left[i * k + p] * right[j * k + p]
                    p += 2
                }
                result[i, j] += sum
            }
        }
    }
    return result
}

/// onto + a b, as matrix tiles sum: of each 32 terms the even ones and the odd ones by themselves. For numbers far from the ends of their range.
private func sumOfBlocks(_ a: Matrix, _ b: Matrix, onto before: Matrix) -> Matrix {
    let left = a.elements.map(roundedToBrainFloat), right = transposed(b).elements.map(roundedToBrainFloat), k = a.columns, result = before.copy()
    for i in 0..<a.rows {
        for j in 0..<b.columns {
            for first in stride(from: 0, to: k, by: 32) {
                var even: Float = 0, odd: Float = 0
                for p in stride(from: first, to: min(k, first + 32), by: 2) {
                    even += left[i * k + p] * right[j * k + p]
                    if p + 1 < k { odd += left[i * k + p + 1] * right[j * k + p + 1] }
                }
                result[i, j] += even + odd
            }
        }
    }
    return result
}

private func roundedToBrainFloat(_ x: Float) -> Float {
    let bits = x.bitPattern
    return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
}
