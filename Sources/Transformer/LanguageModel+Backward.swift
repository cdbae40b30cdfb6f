import CKernels
import LinearAlgebra
import TensorCore

/// An edited module's inputs and output gradients on the rows of a backward pass.
public struct ModuleRows {
    public let module: Int  // index among the model's edited modules
    public let keys: Matrix  // [R, keySize]
    public let gradients: Matrix  // [R, valueSize], of the loss with respect to the output

    public init(module: Int, keys: Matrix, gradients: Matrix) {
        self.module = module
        self.keys = keys
        self.gradients = gradients
    }
}

extension LanguageModel {
    /// Which rows of a sequence the gradients of a backward pass are wanted on.
    public enum GradientRows { case answerTokens, allTokens }

    /// The weighted cross entropy of each prediction of `pack`, and through `visit` the keys and gradients of every edited module, top
    /// layer first. With `.answerTokens` gradients flow through answer rows alone, which is exact for them: the gradient at a
    /// row depends on later rows only, and answer tokens are the last rows of their sequence.
    public func backpropagate(_ pack: PackedSequences, _ prefix: FrozenPrefix, on rows: GradientRows,
                              visit: (ModuleRows) throws -> Void) rethrows -> [Float] {
        let tape = Tape(suffix: SuffixRows(pack, everything: rows == .allTokens))
        let hidden = suffixForward(pack, prefix, tape: tape)
        let (losses, gradient) = headBackward(pack, hidden, suffix: tape.suffix)
        for index in (firstEditedLayer..<layers.count).reversed() {
            let layer = layers[index], record = tape.records.removeLast()
            let isLowest = index == firstEditedLayer
            try feedForwardBackward(layer, gradient, record, stopsHere: isLowest, visit: visit)
            if !isLowest { attentionBackward(layer, gradient, record, pack, tape.suffix) }
        }
        return losses
    }

    /// gradient [R, d] += through the feed-forward part; visits its edited modules. At the lowest layer nothing flows further.
    private func feedForwardBackward(_ layer: Layer, _ gradient: Matrix, _ record: Tape.LayerRecord, stopsHere: Bool,
                                     visit: (ModuleRows) throws -> Void) rethrows {
        func report(_ module: Linear, _ keys: @autoclosure () -> Matrix, _ gradients: Matrix) throws {
            if let index = edited.firstIndex(where: { $0 === module }) {
                try visit(ModuleRows(module: index, keys: keys(), gradients: gradients))
            }
        }
        if isEdited(layer.down) {  // a copy: `gradient` goes on being added to
            try report(layer.down, siluGateForward(record.gate, record.up), gradient.copy())
        }
        if stopsHere && !isEdited(layer.gate) && !isEdited(layer.up) { return }

        let dActive = Matrix(uninitializedRows: gradient.rows, columns: layer.down.keySize)
        layer.down.backward(gradient, into: dActive)
        let dGate = Matrix(uninitializedRows: dActive.rows, columns: dActive.columns)
        let dUp = Matrix(uninitializedRows: dActive.rows, columns: dActive.columns)
        parallelFor(dActive.rows, grain: 4) {
            amend_silu_gate_backward(dGate.row($0), dUp.row($0), dActive.row($0), record.gate.row($0), record.up.row($0), dActive.columns)
        }
        if isEdited(layer.gate) || isEdited(layer.up) {
            let normed = rmsNormForward(record.middle, layer.feedForwardNorm)
            try report(layer.gate, normed, dGate)
            try report(layer.up, normed, dUp)
        }
        if stopsHere { return }

        let dNormed = Matrix(uninitializedRows: gradient.rows, columns: gradient.columns)
        layer.gate.backward(dGate, into: dNormed)
        layer.up.backward(dUp, into: dNormed, accumulate: true)
        rmsNormBackward(gradient, dNormed, record.middle, layer.feedForwardNorm)
    }

    /// gradient [R, d] += through the attention part.
    private func attentionBackward(_ layer: Layer, _ gradient: Matrix, _ record: Tape.LayerRecord, _ pack: PackedSequences,
                                   _ suffix: SuffixRows) {
        guard let input = record.input, let query = record.query, let key = record.key, let value = record.value else {
            preconditionFailure("attention backward without its forward record")
        }
        let dMixed = Matrix(uninitializedRows: gradient.rows, columns: layer.output.keySize)
        layer.output.backward(gradient, into: dMixed)
        let dQuery = Matrix(uninitializedRows: gradient.rows, columns: query.columns)
        let dKey = Matrix(rows: gradient.rows, columns: key.columns)
        let dValue = Matrix(rows: gradient.rows, columns: value.columns)
        attendBackward(pack, suffix, query, key, value, dMixed, dQuery, dKey, dValue)
        rotary.apply(dQuery, positions: suffix.positions, inverse: true)
        rotary.apply(dKey, positions: suffix.positions, inverse: true)

        let dNormed = Matrix(uninitializedRows: gradient.rows, columns: gradient.columns)
        layer.query.backward(dQuery, into: dNormed)
        layer.key.backward(dKey, into: dNormed, accumulate: true)
        layer.value.backward(dValue, into: dNormed, accumulate: true)
        rmsNormBackward(gradient, dNormed, input, layer.attentionNorm)
    }

    /// query, dMixed, dQuery [R, heads · size]; key, value [T, keyValueHeads · size]; dKey, dValue [R, keyValueHeads · size], accumulated.
    private func attendBackward(_ pack: PackedSequences, _ suffix: SuffixRows, _ query: Matrix, _ key: Matrix, _ value: Matrix,
                                _ dMixed: Matrix, _ dQuery: Matrix, _ dKey: Matrix, _ dValue: Matrix) {
        let size = configuration.headSize, keyHeads = configuration.keyValueHeadCount
        let group = configuration.headCount / keyHeads
        // One job per key head: the query heads that share it add to the same dKey and dValue, in order.
        parallelFor(pack.segments.count * keyHeads) { job in
            let (index, keyHead) = job.quotientAndRemainder(dividingBy: keyHeads)
            let segment = pack.segments[index], offset = suffix.offsets[index]
            let keyColumn = keyHead * size
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * segment.count) { scratch in
                for head in keyHead * group..<(keyHead + 1) * group {
                    let column = head * size
                    amend_attention_backward(
                        dQuery.row(offset) + column, dKey.row(offset) + keyColumn, dValue.row(offset) + keyColumn, dMixed.row(offset) + column,
                        query.row(offset) + column, query.columns, key.pointer + keyColumn, value.pointer + keyColumn, key.columns,
                        dKey.columns, raw(segment), suffix.counts[index], size, scratch.baseAddress)
                }
            }
        }
    }
}
