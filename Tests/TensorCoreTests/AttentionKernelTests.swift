import CKernels
import Foundation
import TensorCore
import TestSupport
import Testing

/// Attention of one head over one segment against a plain Double version, with strides wider than the head.
@Suite struct AttentionKernelTests {
    @Test(arguments: kernelVariants) func forward(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for headSize in [1, 6, 16, 20] {
                for (window, cap) in [(0, 0), (1, 0), (4, 0), (50, 0), (0, 2), (4, 2)] as [(Int, Float)] {
                    func check(first: Int, count: Int, parent: Int = 0, parentCount: Int = 0, queries: Int) {
                        checkForward(
                            segment(
                                first: first, count: count, parent: parent, parentCount: parentCount, queries: queries,
                                window: window, cap: cap, headSize), headSize)
                    }
                    check(first: 0, count: 1, queries: 1)
                    for queries in [9, 4, 1, 0] { check(first: 3, count: 9, queries: queries) }
                    for queries in [5, 2] { check(first: 8, count: 5, parent: 1, parentCount: 6, queries: queries) }
                    check(first: 10, count: 20, parent: 0, parentCount: 1, queries: 20)
                }
            }
        }
    }

    @Test(arguments: kernelVariants) func backward(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            for headSize in [1, 6, 20] {
                for (window, cap) in [(0, 0), (1, 0), (4, 0), (0, 2), (4, 2)] as [(Int, Float)] {
                    func check(first: Int, count: Int, queries: Int, kept: Int) {
                        checkBackward(segment(first: first, count: count, queries: queries, window: window, cap: cap, headSize), kept: kept, headSize)
                    }
                    check(first: 0, count: 1, queries: 1, kept: 1)
                    check(first: 2, count: 7, queries: 7, kept: 7)
                    for (queries, kept) in [(3, 3), (3, 9), (2, 5), (9, 4), (1, 9)] { check(first: 2, count: 9, queries: queries, kept: kept) }
                }
            }
        }
    }

    /// A soft cap far above every score, or an absent one: no cap at all.
    @Test func aHighCapChangesLittle() {
        let plain = output(cap: 0), high = output(cap: 1e6), low = output(cap: 0.5)
        expectClose(high, plain.doubles, within: 1e-6, "a high cap")
        #expect(relativeError(low, plain.doubles) > 0.01, "a low cap changes nothing")
    }
}

private func output(cap: Float) -> [Float] {
    let q = normals(6 * 8, lane: 1), k = normals(6 * 8, lane: 2), v = normals(6 * 8, lane: 3)
    var out = q, scores = [Float](repeating: 0, count: 6)
    amend_attention_forward(&out, q, 8, k, v, 8, segment(first: 0, count: 6, queries: 6, window: 0, cap: cap, 8), 8, &scores)
    return out
}

private func segment(
    first: Int, count: Int, parent: Int = 0, parentCount: Int = 0, queries: Int, window: Int, cap: Float,
    _ headSize: Int
) -> amend_segment {
    amend_segment(
        first: first, count: count, parent: parent, parent_count: parentCount, window: window, queries: queries,
        scale: 1.5 / Float(headSize).squareRoot(), soft_cap: cap)
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

    /// What lies beside the head's columns, and in them from row `end` on.
    func others(from end: Int) -> [Float] {
        (0..<matrix.rows).flatMap { row in
            (0..<stride).filter { row >= end || !(column..<column + size).contains($0) }.map { matrix[row, $0] }
        }
    }
}

/// The outputs of the last tokens of a segment, of which all of `q` ask; k and v are the rows of its parent and its own.
private func attention(_ s: amend_segment, _ q: [[Double]], _ k: [[Double]], _ v: [[Double]]) -> [[Double]] {
    q.enumerated().map { index, query in
        let seen = s.parent_count + s.count - q.count + index + 1
        let rows = (s.window > 0 ? max(0, seen - s.window) : 0)..<seen, cap = Double(s.soft_cap)
        let weights = rows.map { row in
            let score = dot(query, k[row]) * Double(s.scale)
            return exp(cap > 0 ? cap * tanh(score / cap) : score)
        }
        let total = weights.reduce(0, +)
        return query.indices.map { column in zip(rows, weights).reduce(0) { $0 + $1.1 / total * v[$1.0][column] } }
    }
}

private func checkForward(_ s: amend_segment, _ size: Int) {
    let rows = s.first + s.count + 1
    let query = Head(rows: s.queries + 1, stride: 2 * size + 1, column: size, size: size, lane: 1)
    let key = Head(rows: rows, stride: size + 2, column: 1, size: size, lane: 2)
    let value = Head(rows: rows, stride: size + 2, column: 2, size: size, lane: 3)
    let out = Head(rows: s.queries + 1, stride: 2 * size + 1, column: size, size: size, lane: 4), others = out.others(from: s.queries)
    var scores = [Float](repeating: 0, count: s.parent_count + s.count)
    amend_attention_forward(out.start, query.start, query.stride, key.start, value.start, key.stride, s, size, &scores)

    let own = s.first..<s.first + s.count, parent = s.parent..<s.parent + s.parent_count
    func seen(_ head: Head) -> [[Double]] { (head.rows(parent) + head.rows(own)).map(\.doubles) }
    let expected = attention(s, query.rows(0..<s.queries).map(\.doubles), seen(key), seen(value))
    expectClose(out.rows(0..<s.queries).flatMap { $0 }, expected.flatMap { $0 }, "attention of \(s), head size \(size)")
    #expect(out.others(from: s.queries) == others, "attention wrote beside its head or beyond its rows")
}

private func checkBackward(_ s: amend_segment, kept: Int, _ size: Int) {
    let rows = s.first + s.count, queries = s.queries
    let query = Head(rows: queries, stride: 2 * size, column: size, size: size, lane: 1)
    let key = Head(rows: rows, stride: size + 2, column: 1, size: size, lane: 2)
    let value = Head(rows: rows, stride: size + 2, column: 2, size: size, lane: 3)
    let gradient = Head(rows: queries, stride: 2 * size, column: 0, size: size, lane: 4)
    let dQuery = Head(rows: queries + 1, stride: 2 * size, column: 0, size: size, lane: 5)
    let dKey = Head(rows: kept + 1, stride: size + 1, column: 1, size: size, lane: 6)
    let dValue = Head(rows: kept + 1, stride: size + 1, column: 0, size: size, lane: 7)
    let keyBefore = dKey.rows(0..<kept).flatMap(\.doubles), valueBefore = dValue.rows(0..<kept).flatMap(\.doubles)
    let others = dQuery.others(from: queries) + dKey.others(from: kept) + dValue.others(from: kept)
    var scratch = [Float](repeating: 0, count: 3 * s.count)
    amend_attention_backward(
        dQuery.start, dKey.start, dValue.start, gradient.start, query.start, query.stride, key.start, value.start,
        key.stride, dKey.stride, s, kept, size, &scratch)

    let dropped = s.count - kept, own = s.first..<rows
    let q = query.rows(0..<queries).map(\.doubles), k = key.rows(own).map(\.doubles), v = value.rows(own).map(\.doubles)
    let weights = gradient.rows(0..<queries).flatMap(\.doubles)
    /// The gradient with respect to `rows`.
    func differences(_ rows: ArraySlice<[Double]>, _ outputs: ([[Double]]) -> [[Double]]) -> [Double] {
        centralDifferences(at: rows.flatMap { $0 }) { flat in
            dot(weights, outputs((0..<rows.count).map { Array(flat[$0 * size..<($0 + 1) * size]) }).flatMap { $0 })
        }
    }
    let name = "attention backward of \(s), kept \(kept), head size \(size)"
    /// One row alone has no gradient of its query: an absolute bound then.
    func check(_ found: Head, _ expected: [Double], _ what: String) {
        let found = found.rows(0..<found.matrix.rows - 1).flatMap { $0 }
        let size = (dot(expected, expected)).squareRoot()
        if size > 1e-6 {
            expectClose(found, expected, within: 5e-6, "\(name), \(what)")
        } else {
            #expect(found.allSatisfy { abs($0) < 1e-5 }, "\(name), \(what)")
        }
    }
    check(dQuery, differences(q[...]) { attention(s, $0, k, v) }, "query")
    check(dKey, zip(keyBefore, differences(k[dropped...]) { attention(s, q, k[..<dropped] + $0, v) }).map(+), "key")
    check(dValue, zip(valueBefore, differences(v[dropped...]) { attention(s, q, k, v[..<dropped] + $0) }).map(+), "value")
    #expect(dQuery.others(from: queries) + dKey.others(from: kept) + dValue.others(from: kept) == others, "\(name) wrote elsewhere")
}
