import CKernels
import LinearAlgebra
import TensorCore

extension LanguageModel {
    /// Runs the part of the model below every edit. Tokens are below the vocabulary's size, positions below `longestSequence`: callers
    /// check what users supply.
    package func prefix(of pack: PackedSequences) -> FrozenPrefix {
        precondition(pack.positions.allSatisfy { $0 < longestSequence }, "a position beyond \(longestSequence)")
        precondition(pack.tokens.allSatisfy { $0 >= 0 && $0 < configuration.vocabularySize }, "a token outside 0..<\(configuration.vocabularySize)")
        let everything = SuffixRows(pack, everything: true)
        var hidden = embed(pack.tokens, positions: pack.positions)
        for (index, layer) in layers.prefix(firstEditedLayer).enumerated() {
            prefetch(index + 1)
            let after = attentionForward(layer, hidden, pack, asking: everything, keeping: nil)
            _ = layer.addFeedForward(layer.feedForwardNorm?.forward(after.hidden) ?? after.normed, to: after.hidden)
            hidden = after.hidden
        }
        guard firstEditedLayer < layers.count else { return FrozenPrefix(hidden: hidden, feedForwardInput: nil) }
        let layer = layers[firstEditedLayer]
        let after = attentionForward(layer, hidden, pack, asking: everything, keeping: nil)
        return FrozenPrefix(hidden: after.hidden, feedForwardInput: layer.feedForwardNorm == nil ? after.normed : nil)
    }

    /// Through a forward pass up to the last edited layer, the keys of every edited module on some rows, the lowest layer first.
    package func captureKeys(_ pack: PackedSequences, _ prefix: FrozenPrefix, on mode: GradientRows, visit: (_ module: Int, _ keys: Matrix) -> Void) {
        let rows = SuffixRows(pack, everything: mode == .allTokens), end = lastEditedLayer + 1
        guard firstEditedLayer < end else { return }
        var records: [LayerRecord] = []
        _ = suffixForward(pack, prefix, through: end, last: rows, keeping: rows, records: &records)
        for (layer, record) in zip(layers[firstEditedLayer..<end], records) {
            for (index, module) in edited.enumerated() {
                if module === layer.gate || module === layer.up { visit(index, record.feedForwardInput) }
                if module === layer.down { visit(index, layer.activate(record.inner.gate, record.inner.up)) }
            }
        }
    }

    /// The residual stream above the last edited layer, on all rows [T, d].
    package func hiddenAboveEdits(_ pack: PackedSequences, _ prefix: FrozenPrefix) -> Matrix {
        var records: [LayerRecord] = []
        return suffixForward(pack, prefix, through: lastEditedLayer + 1, last: SuffixRows(pack, everything: true), keeping: nil, records: &records)
    }

    /// The residual stream above the layers up to `end`, on the rows `last` of the uppermost alone: that layer computes no others. Where `rows` is
    /// given, appends what the backward pass needs of each layer, on these rows.
    func suffixForward(
        _ pack: PackedSequences, _ prefix: FrozenPrefix, through end: Int? = nil, last: SuffixRows, keeping rows: SuffixRows?,
        records: inout [LayerRecord]
    ) -> Matrix {
        let end = end ?? layers.count
        guard firstEditedLayer < end else { return last.copy(prefix.hidden, pack) }
        let everything = SuffixRows(pack, everything: true)
        var hidden = prefix.hidden
        for index in firstEditedLayer..<end {
            let layer = layers[index], asking = index == end - 1 ? last : everything
            prefetch(index + 1)
            let kept = rows.map { asking.isEverything ? $0 : asking }  // a narrowed layer keeps all its rows
            var normed: Matrix?, attention: LayerRecord.Attention?
            if index == firstEditedLayer {
                hidden = asking.copy(hidden, pack)
                normed = prefix.feedForwardInput.map { asking.gather($0, pack) }
            } else {
                let after = attentionForward(layer, hidden, pack, asking: asking, keeping: kept.flatMap { kept in rows.map { (kept, $0) } })
                (hidden, normed, attention) = (after.hidden, after.normed, after.record)
            }
            func keep(_ x: Matrix) -> Matrix { asking.isEverything ? kept?.gather(x, pack) ?? x : x }
            // A copy: the feed-forward part is added to `hidden`.
            let middle = layer.feedForwardNorm == nil ? nil : kept.map { asking.isEverything ? $0.copy(hidden, pack) : hidden.copy() }
            guard let input = layer.feedForwardNorm?.forward(hidden) ?? normed else { preconditionFailure("a parallel layer without its norm") }
            let inner = layer.addFeedForward(input, to: hidden)
            guard let rows, let kept else { continue }
            records.append(
                LayerRecord(
                    rows: kept, inputRows: rows, attention: attention, middle: middle, feedForwardInput: keep(input),
                    inner: DecoderLayer.Inner(gate: inner.gate.map(keep), up: keep(inner.up), output: inner.output.map(keep))))
        }
        return hidden
    }

    func embed(_ tokens: [Int32], positions: [Int32]) -> Matrix {
        let hidden = Matrix(uninitializedRows: tokens.count, columns: configuration.hiddenSize)
        let scale = configuration.embeddingScale
        parallelFor(tokens.count, grain: 16) { row in
            embedding.decodeRow(Int(tokens[row]), into: hidden.row(row))
            if scale != 1 { hidden.rows(row..<row + 1).scale(by: scale) }
        }
        if let positionEmbedding {
            let added = Matrix(uninitializedRows: tokens.count, columns: configuration.hiddenSize)
            parallelFor(tokens.count, grain: 16) { positionEmbedding.decodeRow(Int(positions[$0]), into: added.row($0)) }
            hidden.add(added)
        }
        return hidden
    }

    /// hidden + the attention part, on the rows that ask; where all do, in place. `keeping`: the rows that carry gradients above and below.
    private func attentionForward(
        _ layer: DecoderLayer, _ hidden: Matrix, _ pack: PackedSequences, asking: SuffixRows, keeping: (rows: SuffixRows, inputRows: SuffixRows)?
    ) -> (hidden: Matrix, normed: Matrix, record: LayerRecord.Attention?) {
        let normed = layer.inputNorm.forward(hidden), askingNormed = asking.gather(normed, pack)
        var projection = layer.project(normed, positions: pack.positions, asking: askingNormed, askingPositions: asking.positions)
        let mixed = layer.attend(projection.query, projection.key, projection.value, layer.segments(pack, asking), queryOffsets: asking.offsets)
        let input = keeping?.inputRows.copy(hidden, pack)
        let residual = asking.gather(hidden, pack)
        let output = layer.addAttention(mixed, to: residual)
        guard let keeping, let input else { return (residual, askingNormed, nil) }
        func keep(_ x: Matrix) -> Matrix { asking.isEverything ? keeping.rows.gather(x, pack) : x }
        projection.query = keep(projection.query)
        projection.rawQuery = projection.rawQuery.map(keep)
        projection.rawKey = projection.rawKey.map { keeping.inputRows.gather($0, pack) }
        return (residual, askingNormed, LayerRecord.Attention(input: input, projection: projection, output: output.map(keep)))
    }
}

extension DecoderLayer {
    func segments(_ pack: PackedSequences, _ asking: SuffixRows) -> [amend_segment] {
        zip(pack.segments, asking.counts).map { raw($0, queries: $1) }
    }
}
