import Communication
import Editors
import LinearAlgebra
import TensorCore
import Transformer

/// The gradient of the generalisation loss and the norm regulariser with respect to the hypernetworks. Of the gradient of a weight each
/// step's ridge solution asks only for a projection H (see `RidgeSolution`), which for few edits is much smaller.
///
/// First order, as the papers do: every step's shift receives the same ∂L/∂S, and captured rows are constants.
extension EditEngine {
    /// Backpropagates the rephrasings on the edited model; returns their loss and adds the gradients of `steps` to the parameters of
    /// their networks. `afterStep` runs after each step's gradient has been added (clipping may happen there).
    func accumulateMetaGradient(_ steps: [EditStep], rephrasings: ShardedPack, regularization: Float, place: String,
                                afterStep: () throws -> Void) throws -> Double {
        let (loss, projections) = try work.phases.measure(.metaGradient) { try project(steps, rephrasings, place: place) }
        for (step, projection) in zip(steps, projections) {
            work.phases.measure(.metaGradient) {
                for (module, h) in projection.enumerated() {
                    h.add(step.solutions[module].projectedNormGradient(model.edited[module].edit, coefficient: regularization))
                }
            }
            try work.phases.measure(.hypernetworkBackward) { try accumulate(step, projection) }
            try work.phases.measure(.update) { try afterStep() }
        }
        return loss
    }

    /// The loss, and for each step and module H [n, v], summed over all shards in one fixed order.
    ///
    /// What is summed is H of every step, or, where that is smaller, ∂L/∂S [k, v] once for all of them.
    private func project(_ steps: [EditStep], _ rephrasings: ShardedPack, place: String) throws -> (Double, [[Matrix]]) {
        let sumsShiftGradient = model.edited.enumerated().map { module, linear in
            steps.reduce(0) { $0 + $1.solutions[module].rows } > linear.keySize
        }
        // parts[module][step, or 0][own shard]
        var parts = sumsShiftGradient.map { [[Matrix?]](repeating: Array(repeating: nil, count: work.ownShards.count), count: $0 ? 1 : steps.count) }
        var losses: [Float] = []
        for chunk in rephrasings.chunks {
            losses += model.backpropagate(chunk.pack, chunk.prefix, on: .allTokens) { rows in
                for piece in chunk.pieces {
                    let keys = rows.keys.rows(piece.tokens), gradients = rows.gradients.rows(piece.tokens)
                    if sumsShiftGradient[rows.module] {
                        add(keys.transposed, gradients, to: &parts[rows.module][0][piece.shard])
                    } else {
                        for (step, made) in steps.enumerated() {
                            add(made.solutions[rows.module].projector(keys), gradients, to: &parts[rows.module][step][piece.shard])
                        }
                    }
                }
            }
        }
        let loss = try work.sum(rephrasings.shardAnswers.map { answers in answers.reduce(0.0) { $0 + Double(losses[$1]) } })
        guard loss.isFinite else {
            throw NumericalFailure("\(place): the loss of the rephrasings is \(loss)\(try firstNotFinite(losses, rephrasings))")
        }
        var projections = [[Matrix]](repeating: [], count: steps.count)
        for module in model.edited.indices {
            let linear = model.edited[module]
            func sum(_ parts: [Matrix?], rows: Int) throws -> Matrix {
                try work.sum(parts, present: rephrasings.isPresent, rows: rows, columns: linear.valueSize)
            }
            let shiftGradient = sumsShiftGradient[module] ? try sum(parts[module][0], rows: linear.keySize) : nil
            for (step, made) in steps.enumerated() {
                let solution = made.solutions[module]
                projections[step].append(try shiftGradient.map { solution.projected(shiftGradient: $0) } ?? sum(parts[module][step], rows: solution.rows))
            }
            parts[module] = []
        }
        return (loss, projections)
    }

    /// sum += left · right
    private func add(_ left: Operand, _ right: Matrix, to sum: inout Matrix?) {
        if let sum { multiply(left, right.operand, into: sum, accumulate: true) } else { sum = multiply(left, right.operand) }
    }

    /// ", first for …": the first sample of all ranks whose loss is not finite.
    private func firstNotFinite(_ losses: [Float], _ rephrasings: ShardedPack) throws -> String {
        let before = rephrasings.rankAnswerCounts[..<work.communicator.rank].reduce(0, +)
        let own = losses.firstIndex { !$0.isFinite }.map { $0 + before } ?? Int.max
        let first = try work.communicator.allGather(own).min() ?? Int.max
        return first == .max ? "" : ", first for \(rephrasings.sample(ofAnswer: first))"
    }
}
