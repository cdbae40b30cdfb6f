import CKernels
import LinearAlgebra
import TensorCore

/// What the model makes of one prediction.
public struct Prediction: Sendable, Equatable {
    /// Natural log of the probability of the labelled token.
    public let logProbability: Float
    /// Whether the labelled token is the most likely one.
    public let isMostLikely: Bool
}

extension LanguageModel {
    /// Predictions whose logits are held at a time: bounds memory at vocabulary · this · 4 bytes.
    private static let rowsAtATime = 64

    /// Scores every prediction of `pack`, on the edited model.
    public func score(_ pack: PackedSequences, _ prefix: FrozenPrefix) -> [Prediction] {
        let hidden = suffixForward(pack, prefix, tape: nil)
        let normed = answerHidden(pack, hidden).normed
        var predictions: [Prediction] = []
        forEachBlockOfLogits(normed) { first, logits in
            for row in 0..<logits.rows {
                var largest = 0
                let total = amend_log_sum_exp(logits.row(row), logits.columns, &largest)
                let label = Int(pack.labels[first + row])
                predictions.append(Prediction(logProbability: logits[row, label] - total, isMostLikely: largest == label))
            }
        }
        return predictions
    }

    /// Logits [predictions, vocabulary] of every prediction of `pack`, on the edited model.
    public func logits(_ pack: PackedSequences, _ prefix: FrozenPrefix) -> Matrix {
        let hidden = suffixForward(pack, prefix, tape: nil)
        return multiply(answerHidden(pack, hidden).normed.operand, head.operand().transposed)
    }

    /// The weighted cross entropy of each prediction, and its gradient [R, d] with respect to the residual stream above the last layer.
    func headBackward(_ pack: PackedSequences, _ hidden: Matrix, suffix: SuffixRows) -> (losses: [Float], gradient: Matrix) {
        let (rows, normed) = answerHidden(pack, hidden)
        let dNormed = Matrix(uninitializedRows: normed.rows, columns: normed.columns)
        var losses = [Float](repeating: 0, count: pack.answerCount)
        forEachBlockOfLogits(normed) { first, logits in
            losses.withUnsafeMutableBufferPointer { losses in
                let losses = UncheckedSendable(losses)
                parallelFor(logits.rows) { row in
                    var largest = 0
                    let total = amend_log_sum_exp(logits.row(row), logits.columns, &largest)
                    let label = Int(pack.labels[first + row]), weight = pack.weights[first + row]
                    losses.value[first + row] = weight * (total - logits[row, label])
                    amend_cross_entropy_backward(logits.row(row), logits.columns, total, label, weight)
                }
            }
            multiply(logits.operand, head.operand(), into: dNormed.rows(first..<first + logits.rows))
        }
        let dRows = Matrix(rows: normed.rows, columns: normed.columns)
        rmsNormBackward(dRows, dNormed, rows, finalNorm)
        return (losses, scatter(dRows, pack, suffix))
    }

    /// The residual stream and its norm at the predictions [A, d].
    private func answerHidden(_ pack: PackedSequences, _ hidden: Matrix) -> (rows: Matrix, normed: Matrix) {
        let rows = Matrix(uninitializedRows: pack.answerCount, columns: hidden.columns)
        for (index, row) in pack.answerRows.enumerated() { rows.row(index).update(from: hidden.row(row), count: hidden.columns) }
        return (rows, rmsNormForward(rows, finalNorm))
    }

    /// Gradients at predictions [A, d] placed among suffix rows [R, d], zero elsewhere.
    private func scatter(_ gradients: Matrix, _ pack: PackedSequences, _ suffix: SuffixRows) -> Matrix {
        if suffix.total == gradients.rows { return gradients }
        let result = Matrix(rows: suffix.total, columns: gradients.columns)
        for (index, segment) in pack.segments.enumerated() {
            for prediction in pack.predictions[index] {
                let row = suffix.position(of: pack.answerRows[prediction], segment: segment, index: index)
                result.row(row).update(from: gradients.row(prediction), count: gradients.columns)
            }
        }
        return result
    }

    private func forEachBlockOfLogits(_ normed: Matrix, _ body: (Int, Matrix) -> Void) {
        for first in stride(from: 0, to: normed.rows, by: Self.rowsAtATime) {
            let block = normed.rows(first..<min(normed.rows, first + Self.rowsAtATime))
            body(first, multiply(block.operand, head.operand().transposed))
        }
    }
}
