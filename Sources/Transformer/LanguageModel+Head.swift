import CKernels
import Foundation
import LinearAlgebra
import TensorCore

/// What the model makes of one prediction.
package struct Prediction: Sendable, Equatable {
    /// Natural log of the probability of the labelled token.
    package let logProbability: Float
    /// Whether the labelled token is the most likely one.
    package let isMostLikely: Bool
    package let mostLikely: Int32
}

/// What became of one prediction.
package struct PredictionChange: Sendable {
    /// KL(before‖after) over the whole vocabulary.
    package let divergence: Float
    package let keepsMostLikely: Bool
    /// The likeliest token after.
    package let mostLikely: Int32
    /// Log probabilities of the labelled token.
    package let before: Float
    package let after: Float
}

/// What is lost at a prediction, which weighs what the pack says.
package enum AnswerLoss: Sendable {
    /// weight · cross entropy of the labelled token.
    case crossEntropy(weight: Float)
    /// Cross entropy of other tokens than the labelled ones, whatever predictions weigh.
    case crossEntropyOf(labels: [Int32])
    /// weight · max(0, KL(reference‖model) − bound) over the whole vocabulary, with the reference's `normedAnswers` [predictions, d].
    case divergence(from: Matrix, weight: Float, bound: Float = 0)
    /// weight · max(0, log P of the labelled token − the reference's − bound), with the reference's `normedAnswers`.
    case rise(from: Matrix, weight: Float, bound: Float)
}

extension LanguageModel {
    /// Predictions whose logits are held at a time: bounds memory at vocabulary · this · 4 bytes.
    private static let rowsAtATime = 64

    /// Scores every prediction of `pack`, on the edited model.
    package func score(_ pack: PackedSequences, _ prefix: FrozenPrefix) -> [Prediction] {
        predictions(normedAnswers(pack, prefix), pack)
    }

    /// Likewise, of a forward pass.
    package func predictions(of pass: ForwardPass) -> [Prediction] { predictions(finalNorm.forward(pass.last.gatherAnswers(pass.hidden, pass.pack)), pass.pack) }

    /// A token for each prediction of a forward pass, drawn from its distribution by a number from 0 to less than 1.
    package func drawnLabels(of pass: ForwardPass, _ uniform: (Int) -> Double) -> [Int32] {
        var labels = [Int32](repeating: 0, count: pass.pack.answerCount)
        let numbers = labels.indices.map(uniform)
        forEachBlockOfLogits(finalNorm.forward(pass.last.gatherAnswers(pass.hidden, pass.pack))) { first, logits in
            labels.withUnsafeMutableBufferPointer { labels in
                let labels = UncheckedSendable(labels)
                parallelFor(logits.rows) { row in
                    var token = 0
                    let total = amend_log_sum_exp(logits.row(row), logits.columns, &token)  // the likeliest, should rounding leave the number beyond all
                    var sum = 0.0
                    for index in 0..<logits.columns {
                        sum += exp(Double(logits[row, index] - total))
                        if numbers[first + row] < sum {
                            token = index
                            break
                        }
                    }
                    labels.value[first + row] = Int32(token)
                }
            }
        }
        return labels
    }

    private func predictions(_ normed: Matrix, _ pack: PackedSequences) -> [Prediction] {
        var predictions: [Prediction] = []
        forEachBlockOfLogits(normed) { first, logits in
            for row in 0..<logits.rows {
                var largest = 0
                let total = amend_log_sum_exp(logits.row(row), logits.columns, &largest)
                let label = Int(pack.labels[first + row])
                predictions.append(Prediction(logProbability: logits[row, label] - total, isMostLikely: largest == label, mostLikely: Int32(largest)))
            }
        }
        return predictions
    }

    /// What became of every prediction of `pack` since `reference`, its `normedAnswers`, was taken.
    package func changes(_ pack: PackedSequences, _ prefix: FrozenPrefix, since reference: Matrix) -> [PredictionChange] {
        var changes: [PredictionChange] = []
        forEachBlockOfLogits(normedAnswers(pack, prefix)) { first, logits in
            let before = self.logits(reference.rows(first..<first + logits.rows))
            for row in 0..<logits.rows {
                var top = 0, topBefore = 0
                let total = amend_log_sum_exp(logits.row(row), logits.columns, &top)
                let totalBefore = amend_log_sum_exp(before.row(row), before.columns, &topBefore)
                let label = Int(pack.labels[first + row]), (after, was) = (logits[row, label] - total, before[row, label] - totalBefore)
                // Overwrites the row's logits.
                let divergence = amend_divergence_backward(logits.row(row), before.row(row), logits.columns, total, totalBefore, 1, configuration.logitSoftCap)
                changes.append(PredictionChange(divergence: divergence, keepsMostLikely: top == topBefore, mostLikely: Int32(top), before: was, after: after))
            }
        }
        return changes
    }

    /// Logits [predictions, vocabulary] of every prediction of `pack`, on the edited model.
    package func logits(_ pack: PackedSequences, _ prefix: FrozenPrefix) -> Matrix { logits(normedAnswers(pack, prefix)) }

    /// The normed residual stream above the last layer at the predictions [A, d], on the edited model: all that its predictions rest on.
    package func normedAnswers(_ pack: PackedSequences, _ prefix: FrozenPrefix) -> Matrix { finalNorm.forward(answerHidden(pack, prefix)) }

    /// The residual stream above the last layer at the predictions [A, d].
    private func answerHidden(_ pack: PackedSequences, _ prefix: FrozenPrefix) -> Matrix {
        let rows = SuffixRows(pack, everything: false)
        var records: [LayerRecord] = []
        return rows.gatherAnswers(suffixForward(pack, prefix, last: rows, keeping: nil, records: &records), pack)
    }

    /// The weighted loss of each prediction, and its gradient [R, d] with respect to the residual stream `hidden` [R, d] above the
    /// last layer.
    func headBackward(_ pack: PackedSequences, _ hidden: Matrix, rows: SuffixRows, _ loss: AnswerLoss) -> (losses: [Float], gradient: Matrix) {
        let answers = rows.gatherAnswers(hidden, pack), normed = finalNorm.forward(answers)
        let dNormed = Matrix(uninitializedRows: normed.rows, columns: normed.columns)
        var losses = [Float](repeating: 0, count: pack.answerCount)
        forEachBlockOfLogits(normed) { first, logits in
            losses.withUnsafeMutableBufferPointer { losses in
                switch loss {
                case .crossEntropy(let weight): crossEntropyBackward(logits, pack.labels, first: first, into: losses) { weight * pack.weights[$0] }
                case .crossEntropyOf(let labels): crossEntropyBackward(logits, labels, first: first, into: losses) { _ in 1 }
                case .divergence(let reference, let weight, let bound):
                    backward(pack, logits, since: reference, first: first, into: losses) { row, totals, share in
                        let weight = weight * share
                        // Overwrites the row's logits.
                        let loss = amend_divergence_backward(
                            logits.row(row), totals.reference.row(row), logits.columns, totals.after, totals.before, weight, configuration.logitSoftCap)
                        return bound > 0 && loss < weight * bound ? nil : loss - weight * bound
                    }
                case .rise(let reference, let weight, let bound):
                    backward(pack, logits, since: reference, first: first, into: losses) { row, totals, share in
                        let weight = weight * share
                        let label = Int(pack.labels[first + row])
                        let rise = (logits[row, label] - totals.after) - (totals.reference[row, label] - totals.before) - bound
                        if rise < 0 { return nil }
                        // The cross entropy's gradient, the other way round.
                        amend_cross_entropy_backward(logits.row(row), logits.columns, totals.after, label, -weight, configuration.logitSoftCap)
                        return weight * rise
                    }
                }
            }
            multiply(logits.operand, head.operand(transposed: false), into: dNormed.rows(first..<first + logits.rows), in: arithmetic)
        }
        return (losses, rows.scatterAnswers(finalNorm.backward(dNormed, answers), pack))
    }

    /// The losses of the predictions from `first` on; their logits become the gradients with respect to them.
    private func crossEntropyBackward(
        _ logits: Matrix, _ labels: [Int32], first: Int, into losses: UnsafeMutableBufferPointer<Float>, weight: @Sendable (Int) -> Float
    ) {
        let losses = UncheckedSendable(losses)
        parallelFor(logits.rows) { row in
            var largest = 0
            let total = amend_log_sum_exp(logits.row(row), logits.columns, &largest)
            let label = Int(labels[first + row]), weight = weight(first + row)
            losses.value[first + row] = weight * (total - logits[row, label])
            amend_cross_entropy_backward(logits.row(row), logits.columns, total, label, weight, configuration.logitSoftCap)
        }
    }

    /// A prediction's logits on the model that a loss is measured from, and log Σ exp of both models' logits.
    private typealias Totals = (reference: Matrix, after: Float, before: Float)

    /// Likewise, for losses that are measured from another model, of which `reference` holds all `normedAnswers`. `lossOfRow` gives the weighted loss of a row that counts `share`, and
    /// makes its logits the gradient; nil: it is within its bound, and costs nothing.
    private func backward(
        _ pack: PackedSequences, _ logits: Matrix, since reference: Matrix, first: Int, into losses: UnsafeMutableBufferPointer<Float>,
        lossOfRow: (Int, Totals, _ share: Float) -> Float?
    ) {
        let before = self.logits(reference.rows(first..<first + logits.rows)), losses = UncheckedSendable(losses)
        withoutActuallyEscaping(lossOfRow) { lossOfRow in
            let lossOfRow = UncheckedSendable(lossOfRow)
            parallelFor(logits.rows) { row in
                var largest = 0
                let after = amend_log_sum_exp(logits.row(row), logits.columns, &largest), was = amend_log_sum_exp(before.row(row), before.columns, &largest)
                if let loss = lossOfRow.value(row, (before, after, was), pack.weights[first + row]) {
                    losses.value[first + row] = loss
                } else {
                    losses.value[first + row] = 0
                    logits.rows(row..<row + 1).fill(0)
                }
            }
        }
    }

    /// Logits [n, vocabulary] of normed rows of the residual stream above the last layer.
    func logits(_ normed: Matrix) -> Matrix {
        let logits = multiply(normed.operand, head.operand(transposed: true), in: arithmetic)
        parallelFor(logits.rows) { row in
            if let headBias { amend_add(logits.row(row), headBias.pointer, logits.columns) }
            if configuration.logitSoftCap > 0 { amend_soft_cap(logits.row(row), logits.columns, configuration.logitSoftCap) }
        }
        return logits
    }

    private func forEachBlockOfLogits(_ normed: Matrix, _ body: (Int, Matrix) -> Void) {
        for first in stride(from: 0, to: normed.rows, by: Self.rowsAtATime) {
            body(first, logits(normed.rows(first..<min(normed.rows, first + Self.rowsAtATime))))
        }
    }
}
