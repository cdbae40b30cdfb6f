import Editors
import TensorCore
import Transformer

/// What keeps the steps of a batch from doing harm. With neither, each edit takes every step whole, as published.
package struct StepControl: Sendable {
    /// Edits whose loss is below this take no further step; what they have is held where it is. 0: none.
    package var lossBound: Float = 0
    /// How often a step is halved for the edits whose loss it has raised; after the last time they do without it.
    package var halvings = 0
    /// κ, the share of an edit's loss that a step may take away as far as gradients foretell it; larger steps are scaled down. 0: there is no bound.
    package var stepBound: Float = 0

    package init() {}

    var isOn: Bool { lossBound > 0 || scalesSteps }
    /// Whether what a step takes of the differences made for an edit may be less than all.
    var scalesSteps: Bool { halvings > 0 || stepBound > 0 }
}

/// How far the edits of one batch have come.
final class BatchProgress {
    /// Of each edit, on all ranks, the mean cross entropy of its answer's tokens; nil where that has not been asked.
    var losses: [Float]?
    /// The forward passes that they come from, of the pack's chunks, on the model as it is; nil where they would take too much memory.
    var passes: [LanguageModel.ForwardPass]?
    /// What the edits should leave alone of each edited module; nil: nothing is known.
    let backgrounds: [Background]?

    init(backgrounds: [Background]?) { self.backgrounds = backgrounds }

    /// Whether all edits are made.
    func isDone(_ control: StepControl) -> Bool { losses.map { $0.allSatisfy { $0 < control.lossBound } } ?? false }

    /// What each edit took of the last step, where it took any.
    fileprivate var shares: [Float]?

    /// What each edit takes of the next step; nil: all of it. After a step that was halved, twice what was left of it.
    func factors(_ control: StepControl) -> [Float]? {
        guard let losses else { return nil }
        return losses.indices.map { losses[$0] < control.lossBound ? 0 : min(1, 2 * (shares?[$0] ?? 1)) }
    }
}

extension EditEngine {
    /// Asks for the mean cross entropy of each edit's answer on the model as it is. The forward passes are kept for the next step's backward passes.
    func askForLosses(_ edits: ShardedPack, _ progress: BatchProgress) throws {
        progress.passes = nil
        var kept: [LanguageModel.ForwardPass] = []
        let own = edits.chunks.flatMap { chunk in
            let pass = forwardPass(chunk), predictions = model.predictions(of: pass)
            if edits.chunks.count == 1 { kept.append(pass) }
            return chunk.pack.predictions.map { range in -range.reduce(0) { $0 + predictions[$1].logProbability } / Float(range.count) }
        }
        let column = Matrix(uninitializedRows: own.count, columns: 1)
        for (row, loss) in own.enumerated() { column[row, 0] = loss }
        let all = try work.gatherRows(column, counts: edits.sequenceCounts.ofRanks)
        progress.losses = (0..<all.rows).map { all[$0, 0] }
        if edits.chunks.count == 1 { progress.passes = kept }
    }

    /// Of every captured row what its edit takes.
    func rowFactors(_ factors: [Float]?, _ edits: ShardedPack) -> [Float]? {
        factors.map { edits.spread($0, capturedRows) }
    }

    /// Before the first step of edits: asks for their losses, and for what they should leave alone.
    func begin(_ edits: ShardedPack, place: String) throws -> BatchProgress {
        let progress = BatchProgress(backgrounds: try backgrounds(place: place))
        if stepControl.isOn { try work.phases.measure(.capture) { try askForLosses(edits, progress) } }
        return progress
    }

    /// Scales the step, which has not been applied, down for edits of which it promises more than κ of their loss: to first order it changes the loss by
    /// Σ ⟨δ, u S⟩ over the edit's rows. At κ = 1 that is Polyak's step length for a loss that can become 0, whatever scale keys, gradients and η have.
    func bound(_ step: inout EditStep, _ rows: [CapturedRows], _ edits: ShardedPack, _ progress: BatchProgress) {
        guard stepControl.stepBound > 0, let losses = progress.losses else { return }
        var rowFalls = [Double](repeating: 0, count: rows.first?.keys.rows ?? 0)
        for (own, solution) in zip(rows, step.solutions) {
            let changes = solution.changes(of: own.keys)
            for row in rowFalls.indices { rowFalls[row] -= dot(own.gradients.rows(row..<row + 1), changes.rows(row..<row + 1)) }
        }
        let scales = edits.ownShares, falls = zip(edits.sums(rowFalls, capturedRows), scales).map { $0 * $1 }
        let factors = zip(falls, losses).map { fall, loss -> Float in
            let may = Double(stepControl.stepBound) * Double(loss)
            return fall > may ? Float(may / fall) : 1
        }
        guard factors.contains(where: { $0 < 1 }) else { return }
        let shares = progress.factors(stepControl) ?? factors.map { _ in 1 }
        step.limits = StepLimits(
            factors: factors, falls: falls, rows: rows, rowScales: edits.spread(scales, capturedRows), rowShares: edits.spread(shares, capturedRows),
            editOfRow: edits.spread(Array(factors.indices), capturedRows))
        rescale(&step, shares, edits)
    }

    /// Halves the step, which has been applied, for edits whose loss it has raised, until it raises none.
    func settle(_ step: inout EditStep, _ edits: ShardedPack, _ progress: BatchProgress) throws {
        guard let before = progress.losses, var factors = progress.factors(stepControl) else { return }
        var shares = zip(progress.shares ?? factors.map { _ in 1 }, factors).map { $1 > 0 ? $1 : $0 }
        defer { progress.shares = shares }
        for halving in 0... {
            try askForLosses(edits, progress)
            guard let after = progress.losses else { return }
            let risen = after.indices.filter { factors[$0] > 0 && !(after[$0] <= before[$0]) }
            if risen.isEmpty || halving == stepControl.halvings { return }
            for edit in risen {
                shares[edit] = factors[edit] / 2
                factors[edit] = halving == stepControl.halvings - 1 ? 0 : shares[edit]
            }
            let applied = step
            rescale(&step, factors, edits)
            for (index, module) in model.edited.enumerated() {
                let change = step.taken(index)
                change.add(applied.taken(index), times: -1)
                step.solutions[index].replacing(differences: change).apply(to: module)
            }
        }
    }

    /// Has edits take these shares of the step.
    private func rescale(_ step: inout EditStep, _ shares: [Float], _ edits: ShardedPack) {
        let taken = step.limits.map { zip(shares, $0.factors).map { $0 * $1 } } ?? shares
        step.rowFactors = rowFactors(taken, edits)
        for index in step.solutions.indices { step.solutions[index] = step.solutions[index].replacing(differences: step.taken(index)) }
    }
}

/// What a step was scaled down to, each edit by itself, where steps are bounded, and what it takes to learn from that.
struct StepLimits {
    /// c, of each edit; 1: it was not.
    let factors: [Float]
    /// p, of each edit, as the whole step foretells it.
    let falls: [Double]
    let rows: [CapturedRows]
    /// What an edit's own loss is of its micro-batch's, of each row.
    let rowScales: [Double]
    /// What edits took of the step when it was bounded, of each row. It may be halved later.
    let rowShares: [Float]
    let editOfRow: [Int]

    /// Of each row what ∂L/∂p is of its edit, times the scale of its loss; from the value differences that edits took and ∂L/∂ of them. As these are in
    /// proportion to c = κ L / p: ∂L/∂p = −⟨taken, gradient⟩ / p.
    func fallGradients(taken: [Matrix], gradients: [Matrix]) -> [Float] {
        var sums = [Double](repeating: 0, count: factors.count)
        for (taken, gradient) in zip(taken, gradients) {
            for row in 0..<taken.rows { sums[editOfRow[row]] += dot(taken.rows(row..<row + 1), gradient.rows(row..<row + 1)) }
        }
        return zip(editOfRow, rowScales).map { edit, scale in factors[edit] < 1 ? Float(-sums[edit] / falls[edit] * scale) : 0 }
    }
}

extension Matrix {
    /// A copy with each row multiplied by its factor.
    func scaled(rows factors: [Float]) -> Matrix {
        let copy = copy()
        for (row, factor) in factors.enumerated() { copy.rows(row..<row + 1).scale(by: factor) }
        return copy
    }
}
