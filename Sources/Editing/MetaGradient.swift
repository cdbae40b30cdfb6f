import Communication
import Editors
import LinearAlgebra
import TensorCore
import Transformer

/// What the meta-gradient is of: a weighted sum of terms, each of one batch, and ρ ‖W − W₀‖².
package struct Objective {
    var terms: [Term]
    /// ρ
    var normWeight: Float = 0

    /// weight · Σ over micro-batches of their mean loss.
    struct Term {
        let kind: Kind
        let pack: ShardedPack
        let weight: Float
        /// Where a loss is measured from another model, of each of the pack's chunks: what that has above its last layer, at the answer tokens.
        var reference: [Matrix] = []
        /// There: what a token may move for nothing.
        var bound: Float = 0

        func loss(ofChunk index: Int) -> AnswerLoss {
            switch kind {
            case .rephrasings, .edits: .crossEntropy(weight: weight)
            case .unrelated, .neighbors, .text: .divergence(from: reference[index], weight: weight, bound: bound)
            case .bleed, .oldAnswers: .rise(from: reference[index], weight: weight, bound: bound)
            }
        }
    }

    /// What a term is about.
    package enum Kind: String, Sendable {
        /// Cross entropy of the rephrasings.
        case rephrasings
        /// Cross entropy of the edits' own prompts.
        case edits
        /// KL(before‖after) on unrelated prompts, the model before the batch being the reference.
        case unrelated = "unrelated prompts"
        /// KL(unedited‖after) on unrelated prompts.
        case neighbors
        /// KL(unedited‖after) on plain text.
        case text = "plain text"
        /// The rise of log P, from the unedited model, of an edit's answer after an unrelated prompt.
        case bleed = "edits' answers after unrelated prompts"
        /// How far log P of the old answers after the rephrasings is from having fallen by the margin below the unedited model's.
        case oldAnswers = "old answers after the rephrasings"
    }
}

/// What each kind of term came to, weighted, over all batches and ranks.
typealias ObjectiveValue = [Objective.Kind: Double]

/// The gradient of the objective with respect to the hypernetworks. Of the gradient of a weight each step's solution asks only for
/// projections (see `ShiftSolution`), which for few edits are much smaller.
///
/// First order, as the papers do: every step's shift receives the same ∂L/∂S, and captured rows are constants.
extension EditEngine {
    /// Backpropagates the objective on the edited model; adds the gradients of `steps` to the parameters of
    /// their networks. `afterStep` runs after each step's gradient has been added (clipping may happen there).
    func accumulateMetaGradient(_ steps: [EditStep], _ objective: Objective, place: String, afterStep: () throws -> Void) throws -> ObjectiveValue {
        let (value, projections) = try work.phases.measure(.metaGradient) { try project(steps, objective, place: place) }
        for (step, projections) in zip(steps, projections) {
            if objective.normWeight != 0 {
                work.phases.measure(.metaGradient) {
                    for (module, projections) in projections.enumerated() {
                        let ofNorm = step.solutions[module].projections(ofNorm: model.edited[module].edit, coefficient: objective.normWeight)
                        for (sum, part) in zip(projections, ofNorm) { sum.add(part) }
                    }
                }
            }
            try work.phases.measure(.hypernetworkBackward) { try accumulate(step, projections) }
            try work.phases.measure(.update) { try afterStep() }
        }
        return value
    }

    /// What the model as it is has above its last layer, at the answer tokens of each chunk of `pack`: the reference of a divergence.
    func reference(_ pack: ShardedPack) -> [Matrix] { pack.chunks.map { model.normedAnswers($0.pack, $0.prefix) } }

    /// What the unedited model has there.
    func uneditedReference(_ packs: [ShardedPack]) -> [[Matrix]] { model.unedited { packs.map(reference) } }

    /// The losses, and for each step and module its projections, summed over all shards in one fixed order.
    private func project(_ steps: [EditStep], _ objective: Objective, place: String) throws -> (ObjectiveValue, [[[Matrix]]]) {
        var sums = model.edited.indices.map { module in
            ProjectionSums(steps.map { $0.solutions[module] }, of: model.edited[module], shards: work.ownShards.count)
        }
        func backpropagate(_ term: Objective.Term) throws -> Double {
            let pack = term.pack
            var losses: [Float] = []
            for (index, chunk) in pack.chunks.enumerated() {
                losses += model.backpropagate(chunk.pack, chunk.prefix, on: .allTokens, loss: term.loss(ofChunk: index)) { rows in
                    for piece in chunk.pieces { sums[rows.module].add(rows.keys.rows(piece.tokens), rows.gradients.rows(piece.tokens), shard: piece.shard) }
                }
            }
            let sum = try work.sum(pack.shardAnswers.map { answers in answers.reduce(0.0) { $0 + Double(losses[$1]) } })
            guard sum.isFinite else { throw NumericalFailure("\(place): the loss of the \(term.kind.rawValue) is \(sum)\(try firstNotFinite(losses, pack))") }
            return sum
        }
        var value: ObjectiveValue = [:], isPresent = [Bool](repeating: false, count: work.shards)
        for term in objective.terms {
            value[term.kind, default: 0] += try backpropagate(term)
            isPresent = zip(isPresent, term.pack.isPresent).map { $0 || $1 }
        }
        var projections = [[[Matrix]]](repeating: [], count: steps.count)
        for module in sums.indices {
            for (step, ofModule) in try sums[module].total({ try work.sum($0, present: isPresent, rows: $1, columns: $2) }).enumerated() {
                projections[step].append(ofModule)
            }
        }
        return (value, projections)
    }

    /// ", first for …": the first sample of all ranks whose loss is not finite.
    private func firstNotFinite(_ losses: [Float], _ pack: ShardedPack) throws -> String {
        let before = pack.answers.ofRanks[..<work.communicator.rank].reduce(0, +)
        let own = losses.firstIndex { !$0.isFinite }.map { $0 + before } ?? Int.max
        let first = try work.communicator.allGather(own).min() ?? Int.max
        return first == .max ? "" : ", first for \(pack.sample(ofAnswer: first))"
    }
}

/// The projections of one module's ∂L/∂S that all steps ask for, of each of this rank's shards. What is summed is each step's projections, or,
/// where that is smaller, ∂L/∂S [k, v] once for all of them.
private struct ProjectionSums {
    private let solutions: [any ShiftSolution]
    private let keySize: Int
    private let valueSize: Int
    private let sumsShiftGradient: Bool
    private var parts: [[[Matrix?]]]  // [step][projection][own shard], or [one][one][own shard]

    init(_ solutions: [any ShiftSolution], of module: Linear, shards: Int) {
        self.solutions = solutions
        (keySize, valueSize) = (module.keySize, module.valueSize)
        let floats = solutions.flatMap(\.projectionShapes).reduce(0) { $0 + $1.rows * $1.columns }
        sumsShiftGradient = floats > keySize * valueSize
        let none = [Matrix?](repeating: nil, count: shards)
        parts = sumsShiftGradient ? [[none]] : solutions.map { $0.projectionShapes.map { _ in none } }
    }

    /// The rows X and Γ of some tokens.
    mutating func add(_ keys: Matrix, _ gradients: Matrix, shard: Int) {
        if sumsShiftGradient { return add(keys.transposed, gradients, 0, 0, shard) }
        for (step, solution) in solutions.enumerated() {
            for (index, factors) in solution.projectionFactors(keys, gradients).enumerated() { add(factors.left, factors.right, step, index, shard) }
        }
    }

    /// sum += left · right
    private mutating func add(_ left: Operand, _ right: Matrix, _ step: Int, _ projection: Int, _ shard: Int) {
        if let sum = parts[step][projection][shard] {
            multiply(left, right.operand, into: sum, accumulate: true)
        } else {
            parts[step][projection][shard] = multiply(left, right.operand)
        }
    }

    /// Of each step its projections, over all ranks, with `sum` for one matrix of rows × columns; the parts are gone afterwards.
    mutating func total(_ sum: ([Matrix?], Int, Int) throws -> Matrix) throws -> [[Matrix]] {
        defer { parts = [] }
        if sumsShiftGradient {
            let gradient = try sum(parts[0][0], keySize, valueSize)
            return solutions.map { $0.projections(ofShiftGradient: gradient) }
        }
        return try zip(solutions, parts).map { solution, parts in try zip(solution.projectionShapes, parts).map { try sum($1, $0.rows, $0.columns) } }
    }
}
