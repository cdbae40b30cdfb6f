import CKernels
import LinearAlgebra
import TensorCore

/// One layer of a decoder-only transformer:
///
///     x += o(attention(q, k, v of n₁(x)))        n₁: inputNorm
///     x += down(f(gate(n₂(x))) ∘ up(n₂(x)))      n₂: feedForwardNorm
///
/// In a parallel layer (no feedForwardNorm) both parts read n₁(x). An output norm is applied to what its part adds.
final class DecoderLayer {
    let inputNorm: Norm
    let query, key, value, output: Linear
    let queryNorm, keyNorm: Norm?  // of each head
    let attentionOutputNorm: Norm?
    let feedForwardNorm: Norm?
    let gate: Linear?
    let up, down: Linear
    let feedForwardOutputNorm: Norm?

    let activation: amend_activation
    let attention: DecoderConfiguration.Attention
    let headSize: Int
    let softCap: Float
    let rotary: Rotary?

    struct Parts {
        var inputNorm: Norm
        var query, key, value, output: Linear
        var queryNorm, keyNorm: Norm?
        var attentionOutputNorm: Norm?
        var feedForwardNorm: Norm?
        var gate: Linear?
        var up, down: Linear
        var feedForwardOutputNorm: Norm?
    }

    init(_ parts: Parts, _ configuration: DecoderConfiguration, _ attention: DecoderConfiguration.Attention, rotary: Rotary?) {
        inputNorm = parts.inputNorm
        (query, key, value, output) = (parts.query, parts.key, parts.value, parts.output)
        (queryNorm, keyNorm) = (parts.queryNorm, parts.keyNorm)
        attentionOutputNorm = parts.attentionOutputNorm
        feedForwardNorm = parts.feedForwardNorm
        (gate, up, down) = (parts.gate, parts.up, parts.down)
        feedForwardOutputNorm = parts.feedForwardOutputNorm
        activation = configuration.activation == .silu ? AMEND_SILU : AMEND_GELU_TANH
        self.attention = attention
        headSize = configuration.headSize
        softCap = configuration.attentionSoftCap
        self.rotary = rotary
    }

    /// The linear modules of the feed-forward part: those that can be edited.
    var feedForwardModules: [Linear] { [gate, up, down].compactMap { $0 } }
    var modules: [Linear] { [query, key, value, output] + feedForwardModules }

    /// See `WeightMatrix.prefetch`.
    func prefetch() { for module in modules { module.weight.prefetch() } }
}

// MARK: attention

extension DecoderLayer {
    /// Queries of some rows, keys and values of all, turned by their positions; `raw` before the heads' norms.
    struct Projection {
        var query: Matrix  // [Q, heads · size]
        var key: Matrix  // [T, keyValueHeads · size]
        var value: Matrix  // [T, keyValueHeads · size]
        var rawQuery: Matrix?  // where heads are normed
        var rawKey: Matrix?
    }

    /// `normed` [T, d] are the rows of all tokens, `asking` [Q, d] of those that ask: the same matrix where all do.
    func project(_ normed: Matrix, positions: [Int32], asking: Matrix, askingPositions: [Int32]) -> Projection {
        let all: [Matrix]
        if asking.pointer == normed.pointer {
            all = Linear.forward([query, key, value], normed)
        } else {
            all = [query.forward(asking)] + Linear.forward([key, value], normed)
        }
        var projection = Projection(query: all[0], key: all[1], value: all[2])
        if let queryNorm, let keyNorm {
            (projection.rawQuery, projection.rawKey) = (projection.query, projection.key)
            projection.query = queryNorm.forwardHeads(projection.query)
            projection.key = keyNorm.forwardHeads(projection.key)
        }
        rotary?.apply(projection.query, positions: askingPositions)
        rotary?.apply(projection.key, positions: positions)
        return projection
    }

    /// The mixed values [Q, heads · size] of the tokens that ask; `queryOffsets` says where each segment's first is among them.
    func attend(_ query: Matrix, _ key: Matrix, _ value: Matrix, _ segments: [amend_segment], queryOffsets: [Int]) -> Matrix {
        let heads = query.columns / headSize, group = heads / (key.columns / headSize)
        let mixed = Matrix(uninitializedRows: query.rows, columns: query.columns)
        parallelFor(segments.count * heads) { job in
            let (index, head) = job.quotientAndRemainder(dividingBy: heads)
            let segment = segments[index], offset = queryOffsets[index]
            let column = head * headSize, keyColumn = head / group * headSize
            withUnsafeTemporaryAllocation(of: Float.self, capacity: segment.parent_count + segment.count) { scores in
                amend_attention_forward(
                    mixed.row(offset) + column, query.row(offset) + column, query.columns, key.pointer + keyColumn, value.pointer + keyColumn,
                    key.columns, segment, headSize, scores.baseAddress)
            }
        }
        return mixed
    }

    /// dMixed [Q, heads · size]. Gradients of the queries, which are `rows`, and of the keys and values that `kept` are.
    func attendBackward(
        _ projection: Projection, _ dMixed: Matrix, _ segments: [amend_segment], rows: SuffixRows, kept: SuffixRows
    ) -> (query: Matrix, key: Matrix, value: Matrix) {
        let (query, key, value) = (projection.query, projection.key, projection.value)
        let keyHeads = key.columns / headSize, group = query.columns / headSize / keyHeads
        let dQuery = Matrix(uninitializedRows: query.rows, columns: query.columns)
        let dKey = Matrix(rows: kept.total, columns: key.columns), dValue = Matrix(rows: kept.total, columns: key.columns)
        // One job per key head: the query heads that share it add to the same dKey and dValue, in order.
        parallelFor(segments.count * keyHeads) { job in
            let (index, keyHead) = job.quotientAndRemainder(dividingBy: keyHeads)
            let segment = segments[index], offset = rows.offsets[index], keptOffset = kept.offsets[index]
            let keyColumn = keyHead * headSize
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * segment.count) { scratch in
                for head in keyHead * group..<(keyHead + 1) * group {
                    let column = head * headSize
                    amend_attention_backward(
                        dQuery.row(offset) + column, dKey.row(keptOffset) + keyColumn, dValue.row(keptOffset) + keyColumn,
                        dMixed.row(offset) + column, query.row(offset) + column, query.columns, key.pointer + keyColumn,
                        value.pointer + keyColumn, key.columns, dKey.columns, segment, kept.counts[index], headSize, scratch.baseAddress)
                }
            }
        }
        return (dQuery, dKey, dValue)
    }

    /// A segment of which the last `queries` tokens ask.
    func raw(_ segment: PackedSequences.Segment, queries: Int) -> amend_segment {
        amend_segment(
            first: segment.first, count: segment.count, parent: segment.parent, parent_count: segment.parentCount,
            window: attention.window, queries: queries, scale: attention.scale, soft_cap: softCap)
    }

    /// residual += o(mixed), normed where there is an output norm; returns what that norm read.
    func addAttention(_ mixed: Matrix, to residual: Matrix) -> Matrix? {
        Self.add(output, mixed, attentionOutputNorm, to: residual)
    }

    private static func add(_ module: Linear, _ x: Matrix, _ norm: Norm?, to residual: Matrix) -> Matrix? {
        guard let norm else {
            module.forward(x, into: residual, accumulate: true)
            return nil
        }
        let raw = module.forward(x)
        residual.add(norm.forward(raw))
        return raw
    }
}

// MARK: feed-forward

extension DecoderLayer {
    struct Inner {
        var gate: Matrix?  // [T, intermediate]
        var up: Matrix  // [T, intermediate]
        var output: Matrix?  // [T, d] before its norm, where there is one
    }

    /// residual += the feed-forward part of `normed`.
    func addFeedForward(_ normed: Matrix, to residual: Matrix) -> Inner {
        let inner = Linear.forward([gate, up].compactMap { $0 }, normed)
        var result = Inner(gate: gate == nil ? nil : inner[0], up: inner[inner.count - 1])
        let active = activate(result.gate, result.up)
        result.output = Self.add(down, active, feedForwardOutputNorm, to: residual)
        return result
    }

    /// f(gate) ∘ up, or f(up).
    func activate(_ gate: Matrix?, _ up: Matrix) -> Matrix {
        let out = Matrix(uninitializedRows: up.rows, columns: up.columns)
        parallelFor(up.rows, grain: 4) { row in
            if let gate {
                amend_activation_forward(activation, out.row(row), gate.row(row), up.row(row), up.columns)
            } else {
                amend_activation_forward(activation, out.row(row), up.row(row), nil, up.columns)
            }
        }
        return out
    }

    func activateBackward(_ dActive: Matrix, _ gate: Matrix?, _ up: Matrix) -> (gate: Matrix?, up: Matrix) {
        let dUp = Matrix(uninitializedRows: up.rows, columns: up.columns)
        let dGate = gate.map { Matrix(uninitializedRows: $0.rows, columns: $0.columns) }
        parallelFor(up.rows, grain: 4) { row in
            if let gate, let dGate {
                amend_activation_backward(activation, dGate.row(row), dUp.row(row), dActive.row(row), gate.row(row), up.row(row), up.columns)
            } else {
                amend_activation_backward(activation, dUp.row(row), nil, dActive.row(row), up.row(row), nil, up.columns)
            }
        }
        return (dGate, dUp)
    }
}
