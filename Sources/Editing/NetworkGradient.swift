import Communication
import Editors
import LinearAlgebra
import TensorCore

/// From the projections back to the parameters of the hypernetworks. The gradients of A and B are sums over the rows of all ranks, formed in one of two ways,
/// by the number of rows:
///
/// - Few: every rank receives all rows and forms the part of ∂A and ∂B that it owns.
/// - Many: every shard's ∂A and ∂B are formed where its rows are, a chunk of rows at a time, and summed over shards. Activations are computed
///   again, so that none but a chunk's are ever held.
extension EditEngine {
    /// Whether `rows` rows are few: no larger together than ∂A and ∂B of all shards. Depends on the configuration and the data alone.
    func exchangesRows(_ rows: Int, _ network: HyperNetwork) -> Bool {
        rows * (network.width + network.rank) <= work.shards * network.width * network.rank
    }

    /// Adds the gradients of a step to its networks' parameters. `projections` holds each module's, and is overwritten.
    func accumulate(_ step: EditStep, _ projections: [[Matrix]]) throws {
        let logLambdas = zip(step.solutions, projections).map { $0.solveBackward(inPlace: $1) }
        let limits = step.limits.map { limitGradients(step, $0, projections) }
        for (group, pass) in zip(editor.groups, step.passes) {
            pass.network.add(logLambdaGradients: group.modules.map { logLambdas[$0] + (limits?[$0].logLambda ?? 0) })
            func gradient(_ range: Range<Int>) -> ReadoutRows {
                ReadoutRows.stacked(
                    pass.rows.parts(range).map { part in
                        let module = group.modules[part.module]
                        let rows = step.solutions[module].rowGradients(projections[module], rows: part.rows)
                        guard let factors = step.rowFactors?[part.rows] else { return rows }
                        let own = ReadoutRows(differences: rows.differences.scaled(rows: Array(factors)), keys: rows.keys?.copy())
                        if let limit = limits?[module].rows.rows(part.rows) {
                            own.differences.add(limit.differences)
                            if let keys = limit.keys { own.keys?.add(keys) }
                        }
                        return own
                    }, of: pass.network)
            }
            let shares = work.ownShards.map { work.share(of: pass.rows.count, shard: $0) }
            let vectors = try pass.pass.map { try accumulateRows(pass, $0, shares, gradient: gradient) } ?? accumulateShards(pass, shares, gradient: gradient)
            pass.network.add(vectors: try sum(vectors, pass.rows, rows: 1, columns: pass.network.vectorCount))
        }
    }

    /// Of each module what the gradients of its rows and of log λ gain from that longer steps were bounded to what they foretold: of the direction in
    /// which a step only grows nothing is left. From projections that have been solved.
    private func limitGradients(_ step: EditStep, _ limits: StepLimits, _ projections: [[Matrix]]) -> [(rows: ReadoutRows, logLambda: Float)] {
        let all = 0..<limits.editOfRow.count
        let weights = limits.fallGradients(
            taken: step.solutions.indices.map(step.taken), gradients: zip(step.solutions, projections).map { $0.rowGradients($1, rows: all).differences })
        return step.solutions.indices.map { module in
            let captured = limits.rows[module], whole = step.solutions[module].replacing(differences: step.differences[module].scaled(rows: limits.rowShares))
            // p = −Σ ⟨δ, u S⟩ over the edit's rows.
            let gradients = captured.gradients.scaled(rows: weights.map { -$0 })
            let own = whole.projectionFactors(captured.keys, gradients).map { multiply($0.left, $0.right.operand) }
            let logLambda = whole.solveBackward(inPlace: own), rows = whole.rowGradients(own, rows: all)
            return (ReadoutRows(differences: rows.differences.scaled(rows: limits.rowShares), keys: rows.keys), logLambda)
        }
    }

    /// Few rows. Returns each own shard's vector gradients.
    private func accumulateRows(
        _ group: EditStep.GroupPass, _ pass: HyperNetwork.Pass, _ shares: [Range<Int>],
        gradient: (Range<Int>) -> ReadoutRows
    ) throws -> [Matrix?] {
        let network = group.network, own = group.rows.own
        let slices = shares.map { $0.lowerBound - own.lowerBound..<$0.upperBound - own.lowerBound }
        let rankRows = (0..<work.communicator.size).map { work.share(of: group.rows.count, rank: $0).count }
        let (blocks, vectors) = network.backward(pass, gradient: gradient(own), slices: slices)
        for (index, rows) in blocks.enumerated() {
            network.accumulateMatrices(
                block: index,
                inputs: try work.gatherRows(pass.inputs[index], counts: rankRows),
                hidden: try work.gatherRows(pass.hidden[index], counts: rankRows),
                rows: HyperNetwork.BlockRows(
                    gradient: try work.gatherRows(rows.gradient, counts: rankRows),
                    hiddenGradient: try work.gatherRows(rows.hiddenGradient, counts: rankRows)))
        }
        return zip(vectors.slices, slices).map { $1.isEmpty ? nil : $0 }
    }

    /// Many rows. Returns each own shard's vector gradients.
    private func accumulateShards(_ group: EditStep.GroupPass, _ shares: [Range<Int>], gradient: (Range<Int>) -> ReadoutRows) throws -> [Matrix?] {
        let network = group.network
        let parts = shares.map { share -> (matrices: HyperNetwork.MatrixGradients, vectors: Matrix)? in
            if share.isEmpty { return nil }
            let matrices = network.zeroMatrixGradients(), sum = Matrix(rows: 1, columns: network.vectorCount)
            for range in share.chunks(of: rowsAtATime(network)) {
                let pass = forward(network, group.rows, range, group.standardizer, keepsActivations: true)
                let (blocks, vectors) = network.backward(pass, gradient: gradient(range), slices: [0..<range.count])
                network.accumulate(pass, blocks, into: matrices)
                sum.add(vectors.slices[0])
            }
            return (matrices, sum)
        }
        for index in network.blocks.indices {
            network.add(
                block: index,
                a: try sum(parts.map { $0?.matrices.a[index] }, group.rows, rows: network.width, columns: network.rank),
                b: try sum(parts.map { $0?.matrices.b[index] }, group.rows, rows: network.rank, columns: network.width))
        }
        return parts.map { $0?.vectors }
    }

    /// The sum over all shards of what each has of a group's rows.
    private func sum(_ parts: [Matrix?], _ groupRows: GroupRows, rows: Int, columns: Int) throws -> Matrix {
        let isPresent = (0..<work.shards).map { !work.share(of: groupRows.count, shard: $0).isEmpty }
        return try work.sum(parts, present: isPresent, rows: rows, columns: columns)
    }
}
