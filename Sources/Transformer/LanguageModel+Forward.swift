import CKernels
import LinearAlgebra
import TensorCore

extension LanguageModel {
    /// Runs the part of the model below every edit. Tokens are below the vocabulary's size, positions below `longestSequence`: callers
    /// check what users supply.
    public func prefix(of pack: PackedSequences) -> FrozenPrefix {
        precondition(pack.positions.allSatisfy { $0 < longestSequence }, "a position beyond \(longestSequence)")
        precondition(pack.tokens.allSatisfy { $0 >= 0 && $0 < configuration.vocabularySize }, "a token outside 0..<\(configuration.vocabularySize)")
        let hidden = embed(pack)
        for layer in layers.prefix(firstEditedLayer) {
            attentionForward(layer, hidden, pack, tape: nil)
            feedForward(layer, hidden, record: nil)
        }
        if firstEditedLayer < layers.count { attentionForward(layers[firstEditedLayer], hidden, pack, tape: nil) }
        return FrozenPrefix(hidden: hidden)
    }

    /// The residual stream [T, d] above the last layer. With a tape, keeps what `backward` needs.
    func suffixForward(_ pack: PackedSequences, _ prefix: FrozenPrefix, tape: Tape?) -> Matrix {
        let hidden = prefix.hidden.copy()
        for index in firstEditedLayer..<layers.count {
            let layer = layers[index]
            var record = tape.map { _ in Tape.LayerRecord(middle: hidden, gate: hidden, up: hidden) }
            if index > firstEditedLayer {
                record?.input = tape?.suffix.copy(hidden, pack)
                attentionForward(layer, hidden, pack, tape: tape, record: &record)
            }
            if let tape { record?.middle = tape.suffix.copy(hidden, pack) }
            feedForward(layer, hidden) { gate, up in
                guard let tape else { return }
                record?.gate = tape.suffix.gather(gate, pack)
                record?.up = tape.suffix.gather(up, pack)
            }
            if let record { tape?.records.append(record) }
        }
        return hidden
    }

    private func embed(_ pack: PackedSequences) -> Matrix {
        let hidden = Matrix(uninitializedRows: pack.tokenCount, columns: configuration.hiddenSize)
        parallelFor(pack.tokenCount, grain: 16) { embedding.decodeRow(Int(pack.tokens[$0]), into: hidden.row($0)) }
        return hidden
    }

    private func attentionForward(_ layer: Layer, _ hidden: Matrix, _ pack: PackedSequences, tape: Tape?) {
        var none: Tape.LayerRecord?
        attentionForward(layer, hidden, pack, tape: tape, record: &none)
    }

    /// hidden += o(attention(norm(hidden)))
    private func attentionForward(_ layer: Layer, _ hidden: Matrix, _ pack: PackedSequences, tape: Tape?, record: inout Tape.LayerRecord?) {
        let normed = rmsNormForward(hidden, layer.attentionNorm)
        let projected = Linear.forward([layer.query, layer.key, layer.value], normed)
        let (query, key, value) = (projected[0], projected[1], projected[2])
        rotary.apply(query, positions: pack.positions)
        rotary.apply(key, positions: pack.positions)
        let mixed = normed.columns == query.columns ? normed : Matrix(uninitializedRows: query.rows, columns: query.columns)
        attend(query, key, value, pack, into: mixed)
        layer.output.forward(mixed, into: hidden, accumulate: true)
        if let tape {
            record?.query = tape.suffix.gather(query, pack)
            record?.key = key
            record?.value = value
        }
    }

    private func attend(_ query: Matrix, _ key: Matrix, _ value: Matrix, _ pack: PackedSequences, into out: Matrix) {
        let size = configuration.headSize, heads = configuration.headCount
        let group = heads / configuration.keyValueHeadCount
        parallelFor(pack.segments.count * heads) { job in
            let (index, head) = job.quotientAndRemainder(dividingBy: heads)
            let segment = pack.segments[index]
            let column = head * size, keyColumn = head / group * size
            withUnsafeTemporaryAllocation(of: Float.self, capacity: segment.parentCount + segment.count) { scores in
                amend_attention_forward(
                    out.pointer + column, query.pointer + column, query.columns, key.pointer + keyColumn, value.pointer + keyColumn,
                    key.columns, raw(segment), size, scores.baseAddress)
            }
        }
    }

    func raw(_ segment: PackedSequences.Segment) -> amend_segment {
        amend_segment(
            first: segment.first, count: segment.count, parent: segment.parent, parent_count: segment.parentCount, window: 0,
            scale: 1 / Float(configuration.headSize).squareRoot())
    }

    /// hidden += down(silu(gate(n)) ∘ up(n)), n = norm(hidden); `record` receives gate and up [T, intermediate].
    private func feedForward(_ layer: Layer, _ hidden: Matrix, record: ((Matrix, Matrix) -> Void)?) {
        let normed = rmsNormForward(hidden, layer.feedForwardNorm)
        let inner = Linear.forward([layer.gate, layer.up], normed)
        let (gate, up) = (inner[0], inner[1])
        record?(gate, up)
        let active = siluGateForward(gate, up)
        layer.down.forward(active, into: hidden, accumulate: true)
    }
}

extension LanguageModel {
    func rmsNormForward(_ x: Matrix, _ weight: Matrix) -> Matrix {
        let out = Matrix(uninitializedRows: x.rows, columns: x.columns)
        parallelFor(x.rows, grain: 8) {
            amend_rms_norm_forward(out.row($0), x.row($0), weight.pointer, x.columns, configuration.normEpsilon)
        }
        return out
    }

    /// dx += the gradient through `rmsNormForward` of dout.
    func rmsNormBackward(_ dx: Matrix, _ dout: Matrix, _ x: Matrix, _ weight: Matrix) {
        parallelFor(x.rows, grain: 8) {
            amend_rms_norm_backward(dx.row($0), dout.row($0), x.row($0), weight.pointer, x.columns, configuration.normEpsilon)
        }
    }

    func siluGateForward(_ gate: Matrix, _ up: Matrix) -> Matrix {
        let out = Matrix(uninitializedRows: gate.rows, columns: gate.columns)
        parallelFor(gate.rows, grain: 4) { amend_silu_gate_forward(out.row($0), gate.row($0), up.row($0), gate.columns) }
        return out
    }
}
