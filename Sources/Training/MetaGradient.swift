import Communication
import Editors
import LinearAlgebra
import TensorCore
import Transformer

/// The gradient of the generalisation loss and the norm regulariser with respect to the hypernetworks, without ever forming the
/// gradient of a weight: each step's ridge solution asks only for its projection H (see `RidgeSolution`).
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
    private func project(_ steps: [EditStep], _ rephrasings: ShardedPack, place: String) throws -> (Double, [[Matrix]]) {
        // parts[step][module][own shard]
        var parts = steps.map { $0.solutions.map { _ in [Matrix?](repeating: nil, count: work.ownShards.count) } }
        var losses: [Float] = []
        if !rephrasings.pack.isEmpty {
            losses = model.backpropagate(rephrasings.pack, rephrasings.prefix, on: .allTokens) { rows in
                for (shard, tokens) in rephrasings.shardTokens.enumerated() where !tokens.isEmpty {
                    let keys = rows.keys.rows(tokens), gradients = rows.gradients.rows(tokens)
                    for step in steps.indices {
                        parts[step][rows.module][shard] = steps[step].solutions[rows.module].projected(keys: keys, gradients: gradients)
                    }
                }
            }
        }
        let loss = try work.sum(rephrasings.shardAnswers.map { answers in answers.reduce(0.0) { $0 + Double(losses[$1]) } })
        guard loss.isFinite else {
            throw NumericalFailure("\(place): the loss of the rephrasings is \(loss)\(try firstNotFinite(losses, rephrasings))")
        }
        let sums = try steps.indices.map { step in
            try steps[step].solutions.indices.map { module in
                try work.sum(parts[step][module], present: rephrasings.isPresent, rows: steps[step].solutions[module].rows,
                             columns: model.edited[module].valueSize)
            }
        }
        return (loss, sums)
    }

    /// ", first for …": the first sample of all ranks whose loss is not finite.
    private func firstNotFinite(_ losses: [Float], _ rephrasings: ShardedPack) throws -> String {
        let before = rephrasings.rankAnswerCounts[..<work.communicator.rank].reduce(0, +)
        let own = losses.firstIndex { !$0.isFinite }.map { $0 + before } ?? Int.max
        let first = try work.communicator.allGather(own).min() ?? Int.max
        return first == .max ? "" : ", first for \(rephrasings.sample(ofAnswer: first))"
    }

    /// From H back through the solve, the value differences and the blocks.
    private func accumulate(_ step: EditStep, _ projection: [Matrix]) throws {
        for (group, groupPass) in zip(editor.groups, step.passes) {
            let backward = group.modules.map { step.solutions[$0].backward(projection[$0]) }
            groupPass.network.add(logLambdaGradients: backward.map(\.logLambda))
            let all = Matrix.stacked(backward.map(\.differences), columns: group.shape.valueSize)
            let own = all.rows(work.ownShare(of: all.rows))
            try accumulate(groupPass, gradient: own)
        }
    }

    /// Adds the gradients of a group's network. Rows are exchanged, not matrices of the network's size: every rank sees all rows
    /// and forms the part of ∂A and ∂B that it owns.
    private func accumulate(_ group: EditStep.GroupPass, gradient: Matrix) throws {
        let network = group.network
        let (blocks, vectors) = network.backward(group.pass, gradient: gradient, slices: group.slices)
        for (index, rows) in blocks.enumerated() {
            network.accumulateMatrices(
                block: index,
                inputs: try work.gatherRows(group.pass.inputs[index], counts: group.rankRows),
                hidden: try work.gatherRows(group.pass.hidden[index], counts: group.rankRows),
                rows: HyperNetwork.BlockRows(
                    gradient: try work.gatherRows(rows.gradient, counts: group.rankRows),
                    hiddenGradient: try work.gatherRows(rows.hiddenGradient, counts: group.rankRows)))
        }
        let parts = zip(vectors.slices, group.slices).map { $1.isEmpty ? nil : $0 }
        network.add(vectors: try work.sum(parts, present: group.isPresent, rows: 1, columns: network.vectorCount))
    }
}
