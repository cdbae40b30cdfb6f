import CKernels
import Foundation
import TensorCore
import Testing

/// Attention of one head over one segment against a plain Double version, with strides wider than the head.
@Suite struct AttentionKernelTests {
    @Test(arguments: kernelVariants) func forward(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for headSize in [1, 6, 16, 20] {
                for window in [0, 1, 4, 50] {
                    checkForward(segment(first: 0, count: 1, window: window, headSize), headSize)
                    checkForward(segment(first: 3, count: 9, window: window, headSize), headSize)
                    checkForward(segment(first: 8, count: 5, parent: 1, parentCount: 6, window: window, headSize), headSize)
                    checkForward(segment(first: 10, count: 20, parent: 0, parentCount: 1, window: window, headSize), headSize)
                }
            }
        }
    }

    @Test(arguments: kernelVariants) func backward(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for headSize in [1, 6, 20] {
                for window in [0, 1, 4] {
                    checkBackward(segment(first: 0, count: 1, window: window, headSize), suffix: 1, headSize)
                    checkBackward(segment(first: 2, count: 7, window: window, headSize), suffix: 7, headSize)
                    checkBackward(segment(first: 2, count: 9, window: window, headSize), suffix: 3, headSize)
                }
            }
        }
    }
}

private func segment(first: Int, count: Int, parent: Int = 0, parentCount: Int = 0, window: Int, _ headSize: Int) -> amend_segment {
    amend_segment(first: first, count: count, parent: parent, parent_count: parentCount, window: window, scale: 1.5 / Float(headSize).squareRoot())
}

/// One head's columns of a matrix [rows, stride]: those from `column` on.
private struct Head {
    let matrix: Matrix
    let column: Int
    let size: Int

    init(rows: Int, stride: Int, column: Int, size: Int, lane: UInt32) {
        matrix = Matrix(rows: rows, columns: stride, normals(rows * stride, lane: lane))
        self.column = column
        self.size = size
    }

    var start: UnsafeMutablePointer<Float> { matrix.pointer + column }
    var stride: Int { matrix.columns }

    func rows(_ range: Range<Int>) -> [[Float]] { range.map { row in (0..<size).map { matrix[row, column + $0] } } }

    /// What lies beside the head's columns.
    var others: [Float] {
        (0..<matrix.rows).flatMap { row in (0..<stride).filter { !(column..<column + size).contains($0) }.map { matrix[row, $0] } }
    }
}

/// The outputs of queries q, of which q[i] sees keys up to `seen[i]`.
private func attention(_ q: [[Double]], _ k: [[Double]], _ v: [[Double]], seen: [Int], window: Int, scale: Double) -> [[Double]] {
    zip(q, seen).map { query, seen in
        let rows = (window > 0 ? max(0, seen - window) : 0)..<seen
        let weights = rows.map { exp(dot(query, k[$0]) * scale) }, total = weights.reduce(0, +)
        return (0..<query.count).map { column in zip(rows, weights).reduce(0) { $0 + $1.1 / total * v[$1.0][column] } }
    }
}

private func attention(_ s: amend_segment, _ q: [[Double]], _ k: [[Double]], _ v: [[Double]]) -> [[Double]] {
    let seen = (s.count - q.count..<s.count).map { s.parent_count + $0 + 1 }
    return attention(q, k, v, seen: seen, window: s.window, scale: Double(s.scale))
}

private func checkForward(_ s: amend_segment, _ size: Int) {
    let rows = s.first + s.count + 1
    let query = Head(rows: rows, stride: 2 * size + 1, column: size, size: size, lane: 1)
    let key = Head(rows: rows, stride: size + 2, column: 1, size: size, lane: 2)
    let value = Head(rows: rows, stride: size + 2, column: 2, size: size, lane: 3)
    let out = Head(rows: rows, stride: 2 * size + 1, column: size, size: size, lane: 4), beside = out.others
    var scores = [Float](repeating: 0, count: s.parent_count + s.count)
    amend_attention_forward(out.start, query.start, query.stride, key.start, value.start, key.stride, s, size, &scores)

    let own = s.first..<s.first + s.count, parent = s.parent..<s.parent + s.parent_count
    func seen(_ head: Head) -> [[Double]] { (head.rows(parent) + head.rows(own)).map(\.doubles) }
    let expected = attention(s, query.rows(own).map(\.doubles), seen(key), seen(value))
    expectClose(out.rows(own).flatMap { $0 }, expected.flatMap { $0 }, "attention of \(s), head size \(size)")
    #expect(out.others == beside, "attention wrote beside its head")
}

private func checkBackward(_ s: amend_segment, suffix: Int, _ size: Int) {
    let rows = s.first + s.count
    let query = Head(rows: suffix, stride: 2 * size, column: size, size: size, lane: 1)
    let key = Head(rows: rows, stride: size + 2, column: 1, size: size, lane: 2)
    let value = Head(rows: rows, stride: size + 2, column: 2, size: size, lane: 3)
    let gradient = Head(rows: suffix, stride: 2 * size, column: 0, size: size, lane: 4)
    let dQuery = Head(rows: suffix, stride: 2 * size, column: 0, size: size, lane: 5)
    let dKey = Head(rows: suffix, stride: size + 1, column: 1, size: size, lane: 6)
    let dValue = Head(rows: suffix, stride: size + 1, column: 0, size: size, lane: 7)
    let keyBefore = dKey.rows(0..<suffix).flatMap(\.doubles), valueBefore = dValue.rows(0..<suffix).flatMap(\.doubles)
    var scratch = [Float](repeating: 0, count: 2 * s.count)
    amend_attention_backward(dQuery.start, dKey.start, dValue.start, gradient.start, query.start, query.stride, key.start, value.start,
                             key.stride, dKey.stride, s, suffix, size, &scratch)

    let before = s.count - suffix, own = s.first..<rows
    let q = query.rows(0..<suffix).map(\.doubles), k = key.rows(own).map(\.doubles), v = value.rows(own).map(\.doubles)
    let weights = gradient.rows(0..<suffix).flatMap(\.doubles)
    /// The gradient with respect to the suffix rows of `rows`.
    func differences(_ rows: ArraySlice<[Double]>, _ outputs: ([[Double]]) -> [[Double]]) -> [Double] {
        centralDifferences(at: rows.flatMap { $0 }) { flat in
            dot(weights, outputs((0..<suffix).map { Array(flat[$0 * size..<($0 + 1) * size]) }).flatMap { $0 })
        }
    }
    let name = "attention backward of \(suffix) in \(s), head size \(size)"
    /// One row alone has no gradient of its query: an absolute bound then.
    func check(_ found: Head, _ expected: [Double], _ what: String) {
        let found = found.rows(0..<suffix).flatMap { $0 }
        let size = (dot(expected, expected)).squareRoot()
        if size > 1e-6 { expectClose(found, expected, within: 5e-6, "\(name), \(what)") } else {
            #expect(found.allSatisfy { abs($0) < 1e-5 }, "\(name), \(what)")
        }
    }
    check(dQuery, differences(q[...]) { attention(s, $0, k, v) }, "query")
    check(dKey, zip(keyBefore, differences(k[before...]) { attention(s, q, k[..<before] + $0, v) }).map(+), "key")
    check(dValue, zip(valueBefore, differences(v[before...]) { attention(s, q, k, v[..<before] + $0) }).map(+), "value")
}
