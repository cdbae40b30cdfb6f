import CKernels
import TensorCore
import TestSupport
import Testing

@Suite struct VectorKernelTests {
    @Test(arguments: kernelVariants) func vectors(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for n in widths {
                let x = normals(n, lane: 1), y = normals(n, lane: 2)
                let products = zip(x.doubles, y.doubles).map(*)
                let size = products.reduce(0) { $0 + abs($1) }
                #expect(abs(Double(amend_dot(x, y, n)) - products.reduce(0, +)) <= 1e-6 * size, "dot of \(n)")
                #expect(abs(amend_dot_double(x, y, n) - products.reduce(0, +)) <= 1e-14 * size, "dot in double precision of \(n)")
                #expect(abs(amend_sum_of_squares(x, n) - dot(x.doubles, x.doubles)) <= 1e-14 * dot(x.doubles, x.doubles))
                var sum = y, along = y, scaled = y, difference = y
                amend_add(&sum, x, n)
                amend_axpy(&along, 0.3, x, n)
                amend_scale(&scaled, 0.3, n)
                amend_subtract(&difference, x, y, n)
                let factor = Double(Float(0.3))
                #expect(sum == zip(y, x).map(+) && difference == zip(x, y).map(-) && scaled == y.map { $0 * 0.3 }, "n = \(n)")
                expectClose(along, zip(y.doubles, x.doubles).map { $0 + factor * $1 }, within: 1e-7, "axpy of \(n)")
            }
        }
    }

    @Test(arguments: kernelVariants) func allFinite(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let largest = Float.greatestFiniteMagnitude
            for n in widths {
                let finite = (0..<n).map { $0.isMultiple(of: 2) ? largest : -largest }
                #expect(amend_all_finite(finite, n) == 1)
                for bad in [Float.nan, -.nan, .infinity, -.infinity, .signalingNaN] {
                    for place in Set([0, n / 2, n - 1]) {
                        var numbers = finite
                        numbers[place] = bad
                        #expect(amend_all_finite(numbers, n) == 0, "\(bad) at \(place) of \(n)")
                    }
                }
            }
            #expect(amend_all_finite(normals(1, lane: 1), 0) == 1)
        }
    }
}
