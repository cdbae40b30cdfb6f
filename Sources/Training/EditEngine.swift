import Communication
import Editors
import LinearAlgebra
import TensorCore
import Tokenizers
import Transformer

/// A computation that left the range of finite numbers, or a system that could not be solved: where it was seen.
public struct NumericalFailure: Error, CustomStringConvertible, Sendable {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// One backpropagation of an edit batch and the edit made of it, with what the meta-gradient needs.
public struct EditStep {
    /// For each edited module.
    public let solutions: [RidgeSolution]
    /// For each group of modules of one shape: the hypernetwork's pass over this rank's rows.
    let passes: [GroupPass]

    struct GroupPass {
        let network: HyperNetwork
        let pass: HyperNetwork.Pass
        /// Rows of the whole group on each rank.
        let rankRows: [Int]
        /// This rank's rows, cut by shard.
        let slices: [Range<Int>]
        /// For every shard: whether it has rows.
        let isPresent: [Bool]
    }
}

/// Applies edit batches to a model with an editor, over the ranks of a run. Training and evaluation share it.
public final class EditEngine {
    public let model: LanguageModel
    public let editor: Editor
    public let work: Work
    /// Whether the normalisers go on learning from what is edited.
    public var observes = true

    public init(model: LanguageModel, editor: Editor, work: Work) {
        self.model = model
        self.editor = editor
        self.work = work
    }

    /// One step of multi-step backpropagation: captures keys and value gradients of `edits` on the model as it is, and applies
    /// the edit that the step's networks make of them. `place` names the batch in errors.
    func step(_ step: Int, _ edits: ShardedPack, keepsActivations: Bool, place: String) throws -> EditStep {
        let rows = try work.phases.measure(.capture) { try capture(edits, place: place) }
        let networks = editor.networks(step: step)
        if observes { work.phases.measure(.normalizer) { observe(rows, edits.microBatchAnswerCounts, networks) } }
        var solutions = [RidgeSolution?](repeating: nil, count: model.edited.count)
        var passes: [EditStep.GroupPass] = []
        for (group, network) in zip(editor.groups, networks) {
            let (pass, differences) = try work.phases.measure(.hypernetwork) {
                try valueDifferences(group, network, rows, keepsActivations: keepsActivations)
            }
            passes.append(pass)
            try work.phases.measure(.solve) {
                for (index, module) in group.modules.enumerated() {
                    let keys = rows[module].keys
                    do {
                        solutions[module] = try RidgeSolution(
                            keys: keys, differences: differences.rows(index * keys.rows..<(index + 1) * keys.rows), lambda: network.lambda(index))
                    } catch {
                        throw NumericalFailure("\(place), step \(step + 1), \(model.edited[module].name): \(error)")
                    }
                }
            }
        }
        let complete = solutions.compactMap { $0 }
        for (module, solution) in zip(model.edited, complete) where !solution.solution.isFinite {
            throw NumericalFailure("\(place), step \(step + 1), \(module.name): the edit is not finite")
        }
        work.phases.measure(.apply) {
            for (module, solution) in zip(model.edited, complete) {
                switch solution.form {
                case .dual: module.add(keys: solution.keys, products: solution.solution)
                case .primal: module.add(shift: solution.solution)
                }
            }
        }
        return EditStep(solutions: complete, passes: passes)
    }

    /// Applies step `step` of an edit batch, keeping nothing for learning.
    public func apply(step index: Int, of edits: [[TokenSequence]], place: String) throws {
        _ = try step(index, ShardedPack(edits, model: model, work: work), keepsActivations: false, place: place)
    }

    /// Applies an edit batch: every step, each a backpropagation on the model that the last one edited.
    public func apply(_ edits: [[TokenSequence]], place: String) throws {
        let pack = ShardedPack(edits, model: model, work: work)
        for index in 0..<editor.options.steps { _ = try step(index, pack, keepsActivations: false, place: place) }
    }

    /// What `step` would capture of `edits` on the model as it is.
    public func captureForInspection(_ edits: [[TokenSequence]]) throws -> [ModuleRows] {
        try capture(ShardedPack(edits, model: model, work: work), place: "capture")
    }

    /// Keys and value gradients of every edited module at the answer tokens of the whole batch, in canonical order.
    func capture(_ edits: ShardedPack, place: String) throws -> [ModuleRows] {
        var own = [ModuleRows?](repeating: nil, count: model.edited.count)
        if !edits.pack.isEmpty {
            _ = model.backpropagate(edits.pack, edits.prefix, on: .answerTokens) { own[$0.module] = $0 }
        }
        return try model.edited.indices.map { index in
            let linear = model.edited[index]
            let rows = own[index]
                ?? ModuleRows(module: index, keys: Matrix(rows: 0, columns: linear.keySize), gradients: Matrix(rows: 0, columns: linear.valueSize))
            let all = ModuleRows(module: index, keys: try work.gatherRows(rows.keys, counts: edits.rankAnswerCounts),
                                 gradients: try work.gatherRows(rows.gradients, counts: edits.rankAnswerCounts))
            for (what, matrix) in [("keys", all.keys), ("value gradients", all.gradients)] where !matrix.isFinite {
                let row = (0..<matrix.rows).first { !matrix.rows($0..<$0 + 1).isFinite } ?? 0
                throw NumericalFailure("\(place), \(linear.name): the captured \(what) are not finite, first for \(edits.sample(ofAnswer: row))")
            }
            return all
        }
    }

    /// Feeds the normalisers: each micro-batch in turn, and of it each module in configuration order.
    private func observe(_ rows: [ModuleRows], _ microBatchAnswers: [Int], _ networks: [HyperNetwork]) {
        for (group, network) in zip(editor.groups, networks) {
            var first = 0
            for count in microBatchAnswers {
                for module in group.modules {
                    network.moments.observe(keys: rows[module].keys.rows(first..<first + count), gradients: rows[module].gradients.rows(first..<first + count))
                }
                first += count
            }
        }
    }

    /// The value differences [modules · n, v] of a group, module by module; each rank runs the network on its share of the rows.
    private func valueDifferences(_ group: Editor.Group, _ network: HyperNetwork, _ rows: [ModuleRows],
                                  keepsActivations: Bool) throws -> (EditStep.GroupPass, Matrix) {
        let perModule = rows[group.modules[0]].keys.rows, total = perModule * group.modules.count
        let own = work.ownShare(of: total)
        let keys = Self.stack(own, perModule, group.modules.map { rows[$0].keys }, columns: group.shape.keySize)
        let gradients = Self.stack(own, perModule, group.modules.map { rows[$0].gradients }, columns: group.shape.valueSize)
        let pass = network.forward(keys: keys, gradients: gradients, modules: own.map { $0 / perModule }, keepsActivations: keepsActivations)
        let rankRows = (0..<work.communicator.size).map { work.share(of: total, rank: $0).count }
        let slices = work.ownShards.map { shard in
            let share = work.share(of: total, shard: shard)
            return share.lowerBound - own.lowerBound..<share.upperBound - own.lowerBound
        }
        let isPresent = (0..<work.shards).map { !work.share(of: total, shard: $0).isEmpty }
        return (EditStep.GroupPass(network: network, pass: pass, rankRows: rankRows, slices: slices, isPresent: isPresent),
                try work.gatherRows(pass.valueDifferences, counts: rankRows))
    }

    /// Rows `range` of equally tall matrices laid one below the other.
    private static func stack(_ range: Range<Int>, _ height: Int, _ matrices: [Matrix], columns: Int) -> Matrix {
        let result = Matrix(uninitializedRows: range.count, columns: columns)
        var row = range.lowerBound
        while row < range.upperBound {
            let (index, first) = row.quotientAndRemainder(dividingBy: height)
            let count = min(height - first, range.upperBound - row)
            result.rows(row - range.lowerBound..<row - range.lowerBound + count).assign(matrices[index].rows(first..<first + count))
            row += count
        }
        return result
    }
}
