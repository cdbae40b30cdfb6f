import CKernels
import LinearAlgebra
import TensorCore

/// An edited module's inputs and output gradients on the rows of a backward pass.
package struct CapturedRows {
    package let module: Int  // index among the model's edited modules
    package let keys: Matrix  // [R, keySize]
    package let gradients: Matrix  // [R, valueSize], of the loss with respect to the output

    package init(module: Int, keys: Matrix, gradients: Matrix) {
        self.module = module
        self.keys = keys
        self.gradients = gradients
    }
}

extension LanguageModel {
    /// Which rows of a sequence the gradients of a backward pass are wanted on.
    package enum GradientRows { case answerTokens, allTokens }

    /// Floats that a backward pass on all tokens keeps of each: see `LayerRecord`.
    package var activationsPerToken: Int {
        layers[firstEditedLayer...].reduce(0) { sum, layer in
            let outputs = [layer.query, layer.key, layer.value, layer.gate, layer.up].compactMap { $0?.valueSize }
            return sum + 3 * configuration.hiddenSize + outputs.reduce(0, +)
        }
    }

    /// A forward pass with what its backward pass needs, on the edited model as it is then.
    package struct ForwardPass {
        let pack: PackedSequences
        /// Those that gradients are wanted on above the last layer.
        let last: SuffixRows
        let hidden: Matrix
        var records: [LayerRecord]
    }

    package func forwardPass(_ pack: PackedSequences, _ prefix: FrozenPrefix, on mode: GradientRows) -> ForwardPass {
        precondition(!pack.branches, "gradients of a pack whose segments continue each other")
        let rows = SuffixRows(pack, everything: mode == .allTokens)
        // Above the last layer only answer rows matter; there its own rows are wanted on all tokens only if it is edited.
        let last = mode == .allTokens && lastEditedLayer == layers.count - 1 ? rows : SuffixRows(pack, everything: false)
        var records: [LayerRecord] = []
        let hidden = suffixForward(pack, prefix, last: last, keeping: rows, records: &records)
        return ForwardPass(pack: pack, last: last, hidden: hidden, records: records)
    }

    /// The weighted loss of each prediction of `pack`, and through `visit` the keys and gradients of every edited module, top
    /// layer first. With `.answerTokens` gradients flow through answer rows alone, which is exact for them: the gradient at a
    /// row depends on later rows only, and answer tokens are the last rows of their sequence.
    package func backpropagate(
        _ pack: PackedSequences, _ prefix: FrozenPrefix, on mode: GradientRows, loss: AnswerLoss = .crossEntropy(weight: 1),
        visit: (CapturedRows) throws -> Void
    ) rethrows -> [Float] {
        try backpropagate(forwardPass(pack, prefix, on: mode), loss: loss, visit: visit)
    }

    /// As `backpropagate(_:_:on:loss:visit:)`, of a forward pass on the model as it still is.
    package func backpropagate(
        _ pass: consuming ForwardPass, loss: AnswerLoss = .crossEntropy(weight: 1), visit: (CapturedRows) throws -> Void
    ) rethrows -> [Float] {
        let pack = pass.pack
        var (losses, gradient) = headBackward(pack, pass.hidden, rows: pass.last, loss)
        for index in (firstEditedLayer..<layers.count).reversed() {
            let layer = layers[index], record = pass.records.removeLast(), isLowest = index == firstEditedLayer
            if !isLowest { prefetch(index - 1) }
            let dNormed = try feedForwardBackward(layer, gradient, record, stopsHere: isLowest, visit: visit)
            if !isLowest { gradient = attentionBackward(layer, gradient, record, pack, dNormed) }
        }
        return losses
    }

    /// gradient [R, d] += through the feed-forward part; visits its edited modules. At the lowest layer nothing flows further. In a parallel
    /// layer returns the gradient with respect to the norm that both parts read.
    private func feedForwardBackward(
        _ layer: DecoderLayer, _ gradient: Matrix, _ record: LayerRecord, stopsHere: Bool,
        visit: (CapturedRows) throws -> Void
    ) rethrows -> Matrix? {
        func report(_ module: Linear, _ keys: @autoclosure () -> Matrix, _ gradients: @autoclosure () -> Matrix) throws {
            if let index = edited.firstIndex(where: { $0 === module }) {
                try visit(CapturedRows(module: index, keys: keys(), gradients: gradients()))
            }
        }
        let (gate, up) = (record.inner.gate, record.inner.up)
        var dOutput = gradient
        if let norm = layer.feedForwardOutputNorm, let output = record.inner.output { dOutput = norm.backward(gradient, output) }
        try report(layer.down, layer.activate(gate, up), dOutput.pointer == gradient.pointer ? gradient.copy() : dOutput)
        let isFirstEdited = [layer.gate, layer.up].contains { $0.map(isEdited) ?? false }
        if stopsHere && !isFirstEdited { return nil }

        let dActive = Matrix(uninitializedRows: gradient.rows, columns: layer.down.keySize)
        layer.down.backward(dOutput, into: dActive)
        let (dGate, dUp) = layer.activateBackward(dActive, gate, up)
        if let module = layer.gate, let dGate { try report(module, record.feedForwardInput, dGate) }
        try report(layer.up, record.feedForwardInput, dUp)
        if stopsHere { return nil }

        let dNormed = Matrix(uninitializedRows: gradient.rows, columns: gradient.columns)
        if let module = layer.gate, let dGate { module.backward(dGate, into: dNormed) }
        layer.up.backward(dUp, into: dNormed, accumulate: layer.gate != nil)
        guard let norm = layer.feedForwardNorm, let middle = record.middle else { return dNormed }
        norm.addBackward(dNormed, middle, to: gradient)
        return nil
    }

    /// The gradient [K, d] below the layer's attention, of `gradient` [R, d] above it; `shared` [R, d] is that of the layer's norm which its
    /// feed-forward part has found.
    private func attentionBackward(
        _ layer: DecoderLayer, _ gradient: Matrix, _ record: LayerRecord, _ pack: PackedSequences,
        _ shared: Matrix?
    ) -> Matrix {
        guard let attention = record.attention else { preconditionFailure("attention backward without its forward record") }
        let (rows, inputRows, projection) = (record.rows, record.inputRows, attention.projection)
        var dOutput = gradient
        if let norm = layer.attentionOutputNorm, let output = attention.output { dOutput = norm.backward(gradient, output) }
        let dMixed = Matrix(uninitializedRows: gradient.rows, columns: layer.output.keySize)
        layer.output.backward(dOutput, into: dMixed)
        var (dQuery, dKey, dValue) = layer.attendBackward(projection, dMixed, layer.segments(pack, rows), rows: rows, kept: inputRows)
        layer.rotary?.apply(dQuery, positions: rows.positions, inverse: true)
        layer.rotary?.apply(dKey, positions: inputRows.positions, inverse: true)
        if let queryNorm = layer.queryNorm, let keyNorm = layer.keyNorm, let rawQuery = projection.rawQuery, let rawKey = projection.rawKey {
            dQuery = queryNorm.backwardHeads(dQuery, rawQuery)
            dKey = keyNorm.backwardHeads(dKey, rawKey)
        }
        let dAsking = Matrix(uninitializedRows: rows.total, columns: gradient.columns)
        layer.query.backward(dQuery, into: dAsking)
        if let shared { dAsking.add(shared) }
        let dNormed = inputRows.scatter(dAsking, from: rows)
        layer.key.backward(dKey, into: dNormed, accumulate: true)
        layer.value.backward(dValue, into: dNormed, accumulate: true)
        let below = inputRows.scatter(gradient, from: rows)
        layer.inputNorm.addBackward(dNormed, attention.input, to: below)
        return below
    }
}
