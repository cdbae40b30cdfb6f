import Communication
import Datasets
import Editors
import LinearAlgebra
import TensorCore
import Tokenization
import Transformer

/// A computation that left the range of finite numbers, or a system that could not be solved: where it was seen.
package struct NumericalFailure: Error, CustomStringConvertible, Sendable {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// One backpropagation of an edit batch and the edit made of it, with what the meta-gradient needs.
package struct EditStep {
    /// For each edited module.
    package var solutions: [any ShiftSolution]
    /// What the differences that the editor made of captured rows were multiplied with before the solve; nil: nothing.
    var rowFactors: [Float]?
    /// What edits' steps were bounded to; nil: none was.
    var limits: StepLimits?
    /// Of each module the differences before that, where they may be needed again.
    var differences: [Matrix] = []
    /// For each group of modules of one shape: the hypernetwork's pass over this rank's rows.
    let passes: [GroupPass]

    /// A module's differences as they were taken: a copy.
    func taken(_ module: Int) -> Matrix { rowFactors.map { differences[module].scaled(rows: $0) } ?? differences[module].copy() }

    struct GroupPass {
        let network: HyperNetwork
        let rows: GroupRows
        /// What the network's moments were.
        let standardizer: Standardizer
        /// Over this rank's rows; nil where it is to be computed again, as it would take too much memory to keep.
        let pass: HyperNetwork.Pass?
    }
}

/// Applies edit batches to a model with an editor, over the ranks of a run. Training and evaluation share it.
package final class EditEngine {
    package let model: LanguageModel
    package let editor: Editor
    package let rule: any ShiftRule
    package let work: ShardedWork
    /// Whether the normalisers go on learning from what is edited.
    package var observes = true
    /// What edits should leave alone.
    package var preservation = Preservation()
    /// What keeps steps from doing harm.
    package var stepControl = StepControl()
    /// Makes the edits, where the method has a loop of its own for that.
    package var loop: (any EditLoop)?
    /// Floats of activations to hold at a time: 1 GiB. What is more is computed in parts. Changes bits where the work of one shard takes more.
    package var activationsAtATime = 1 << 28

    package init(model: LanguageModel, editor: Editor, rule: any ShiftRule, work: ShardedWork) {
        self.model = model
        self.editor = editor
        self.rule = rule
        self.work = work
    }

    /// As another, but for the ranks that it works with.
    package init(_ other: EditEngine, work: ShardedWork) {
        (model, editor, rule, self.work) = (other.model, other.editor, other.rule, work)
        (observes, preservation, stepControl, loop, activationsAtATime) = (
            other.observes, other.preservation, other.stepControl, other.loop, other.activationsAtATime
        )
    }

    /// One step of multi-step backpropagation: captures keys and value gradients of `edits` on the model as it is, and applies
    /// the edit that the step's networks make of them. `place` names the batch in errors.
    func step(_ step: Int, _ batch: EditPack, _ progress: BatchProgress, keepsActivations: Bool, place: String) throws -> EditStep {
        let edits = batch.edits
        let factors = rowFactors(progress.factors(stepControl), edits)
        let rows = try work.phases.measure(.capture) { try capture(edits, after: progress, place: place) }
        let contrast = try work.phases.measure(.capture) { try batch.contrasts.map(contrastKeys) }
        let networks = editor.networks(step: step), (moments, learn) = editor.moments(step: step)
        if observes && learn { work.phases.measure(.normalizer) { observe(rows, rowCounts(edits).ofMicroBatches, moments) } }
        var solutions = [(any ShiftSolution)?](repeating: nil, count: model.edited.count)
        var passes: [EditStep.GroupPass] = [], differences = [Matrix?](repeating: nil, count: stepControl.scalesSteps ? model.edited.count : 0)
        for (index, group) in editor.groups.enumerated() {
            let network = networks[index], standardizer = moments[index].standardizer
            let (pass, made) = try work.phases.measure(.hypernetwork) {
                try makeRows(group, network, standardizer, rows, keepsActivations: keepsActivations)
            }
            passes.append(pass)
            try work.phases.measure(.solve) {
                for (index, module) in group.modules.enumerated() {
                    let keys = rows[module].keys
                    let own = made.rows(index * keys.rows..<(index + 1) * keys.rows)
                    if !differences.isEmpty { differences[module] = own.differences }
                    var system = ShiftSystem(
                        keys: keys, made: factors.map { ReadoutRows(differences: own.differences.scaled(rows: $0), keys: own.keys) } ?? own, lambda: network.lambda(index)
                    )
                    system.contrast = contrast?[module]
                    system.background = progress.backgrounds?[module]
                    do { solutions[module] = try rule.solve(system) } catch {
                        throw NumericalFailure("\(place), step \(step + 1), \(model.edited[module].name): \(error)")
                    }
                }
            }
        }
        let complete = solutions.compactMap { $0 }
        for (module, solution) in zip(model.edited, complete) where !solution.isFinite {
            throw NumericalFailure("\(place), step \(step + 1), \(module.name): the edit is not finite")
        }
        var made = EditStep(solutions: complete, rowFactors: factors, differences: differences.compactMap(\.self), passes: passes)
        work.phases.measure(.solve) { bound(&made, rows, edits, progress) }
        work.phases.measure(.apply) {
            for (module, solution) in zip(model.edited, made.solutions) { solution.apply(to: module) }
        }
        if stepControl.isOn { try work.phases.measure(.capture) { try settle(&made, edits, progress) } }
        return made
    }

    /// Applies step `step` of an edit batch, keeping nothing for learning.
    package func apply(step index: Int, of batch: EditBatch, place: String) throws {
        _ = try step(index, pack(batch), BatchProgress(backgrounds: preservation.backgrounds), keepsActivations: false, place: place)
    }

    /// Applies an edit batch: every step, each a backpropagation on the model that the last one edited.
    package func apply(_ batch: EditBatch, place: String) throws {
        if let loop { return try loop.make(batch, with: self, place: place) }
        let pack = pack(batch), progress = try begin(pack.edits, place: place)
        for index in 0..<editor.options.steps where !progress.isDone(stepControl) {
            _ = try step(index, pack, progress, keepsActivations: false, place: place)
        }
        try hold(pack)
    }

    /// What `step` would capture of `edits` on the model as it is.
    package func captureForInspection(_ edits: [[TokenSequence]]) throws -> [CapturedRows] {
        try capture(pack(edits), after: BatchProgress(backgrounds: nil), place: "capture")
    }

    /// A batch's edits, packed, and with them what contrasts with them.
    func pack(_ batch: EditBatch) -> EditPack {
        let contrasts = contrasts(of: batch)
        return EditPack(edits: pack(batch.edits + readable(batch.prefixed)), contrasts: contrasts.isEmpty ? nil : pack(contrasts))
    }

    /// A batch's edits, with those behind other text, one by one.
    func sequences(of batch: EditBatch) -> [TokenSequence] { (batch.edits + readable(batch.prefixed)).flatMap(\.self) }

    /// The subjects of a batch's edits as what they are said to be.
    func essences(of batch: EditBatch) -> [TokenSequence] { readable(batch.essences).flatMap(\.self) }

    /// What contrasts with a batch's edits, where that counts.
    func contrasts(of batch: EditBatch) -> [[TokenSequence]] { preservation.contrastWeight > 0 ? readable(batch.contrasts) : [] }

    /// √ν times the keys of the one module that is edited now at the held positions of prompts; nil: there are none.
    func contrastKeys(of prompts: [[TokenSequence]]) throws -> Matrix? { prompts.isEmpty ? nil : try contrastKeys(pack(prompts))[0] }

    /// Another name, or text before it, may have more tokens than the prompt had room for.
    private func readable(_ microBatches: [[TokenSequence]]) -> [[TokenSequence]] {
        microBatches.map { $0.filter { model.canRead($0.prompt + $0.answer) } }.filter { !$0.isEmpty }
    }

    func pack(_ microBatches: [[TokenSequence]]) -> ShardedPack {
        ShardedPack(microBatches, model: model, work: work, tokensAtATime: max(1, activationsAtATime / max(1, model.activationsPerToken)))
    }

    /// How many rows are captured of a sequence.
    func capturedRows(of sequence: TokenSequence) -> Int { editor.options.positions.rows(of: sequence).count }

    /// Of the rows that are captured of a pack.
    private func rowCounts(_ pack: ShardedPack) -> ShardedPack.RowCounts { pack.rowCounts(editor.options.positions) }

    /// The forward part of what is captured of a chunk.
    func forwardPass(_ chunk: ShardedPack.Chunk) -> LanguageModel.ForwardPass {
        model.forwardPass(chunk.pack, chunk.prefix, on: Places.mode(editor.options.positions))
    }

    /// Keys and value gradients of every edited module at the captured positions of the whole batch, in canonical order. Takes the forward passes that `progress` has.
    func capture(_ edits: ShardedPack, after progress: BatchProgress, place: String) throws -> [CapturedRows] {
        let positions = editor.options.positions, counts = rowCounts(edits).ofRanks, count = counts[work.communicator.rank]
        let own = model.edited.indices.map { index in
            CapturedRows(
                module: index, keys: Matrix(uninitializedRows: count, columns: model.edited[index].keySize),
                gradients: Matrix(uninitializedRows: count, columns: model.edited[index].valueSize))
        }
        var first = 0, passes = progress.passes ?? []
        progress.passes = nil
        for chunk in edits.chunks {
            let places = Places(chunk, positions), range = first..<first + places.count
            _ = model.backpropagate(passes.popLast() ?? forwardPass(chunk)) { rows in
                places.assign(rows.keys, to: own[rows.module].keys.rows(range))
                places.assign(rows.gradients, to: own[rows.module].gradients.rows(range))
            }
            first = range.upperBound
        }
        return try zip(model.edited, own).enumerated().map { index, both in
            let (linear, rows) = both
            let all = CapturedRows(
                module: index, keys: try work.gatherRows(rows.keys, counts: counts), gradients: try work.gatherRows(rows.gradients, counts: counts))
            for (what, matrix) in [("keys", all.keys), ("value gradients", all.gradients)] where !matrix.isFinite {
                let row = (0..<matrix.rows).first { !matrix.rows($0..<$0 + 1).isFinite } ?? 0
                throw NumericalFailure(
                    "\(place), \(linear.name): the captured \(what) are not finite, first for \(edits.sample(ofRow: row, capturedRows))"
                )
            }
            return all
        }
    }

    /// √ν times the keys of every edited module at the held positions of what contrasts with the edits, on the model as it is.
    private func contrastKeys(_ contrasts: ShardedPack) throws -> [Matrix] {
        let all = try captureKeys(of: contrasts, at: preservation.contrastPositions)
        for keys in all {
            keys.shortenRows()
            keys.scale(by: preservation.contrastWeight.squareRoot())
        }
        return all
    }

    /// The keys of every edited module at `positions` of all sequences of a pack, on the model as it is.
    func captureKeys(of pack: ShardedPack, at positions: EditorOptions.Positions) throws -> [Matrix] {
        let counts = pack.rowCounts(positions).ofRanks
        let own = model.edited.map { Matrix(uninitializedRows: counts[work.communicator.rank], columns: $0.keySize) }
        var first = 0
        for chunk in pack.chunks {
            let places = Places(chunk, positions), range = first..<first + places.count
            model.captureKeys(chunk.pack, chunk.prefix, on: places.mode) { places.assign($1, to: own[$0].rows(range)) }
            first = range.upperBound
        }
        return try own.map { try work.gatherRows($0, counts: counts) }
    }

    /// Where in a chunk rows are taken.
    private struct Places {
        /// For which rows the model is asked.
        let mode: LanguageModel.GradientRows
        let count: Int
        /// Which of those; nil: all.
        private let chosen: [Int]?

        init(_ chunk: ShardedPack.Chunk, _ positions: EditorOptions.Positions) {
            mode = Self.mode(positions)
            chosen = positions == .answer || positions == .all ? nil : chunk.rows(positions)
            count = chosen?.count ?? (positions == .answer ? chunk.pack.answerCount : chunk.pack.tokenCount)
        }

        static func mode(_ positions: EditorOptions.Positions) -> LanguageModel.GradientRows { positions == .answer ? .answerTokens : .allTokens }

        func assign(_ rows: Matrix, to target: Matrix) {
            guard let chosen else { return target.assign(rows) }
            for (row, place) in chosen.enumerated() { target.rows(row..<row + 1).assign(rows.rows(place..<place + 1)) }
        }
    }

    /// Feeds the normalisers: each micro-batch in turn, and of it each module in configuration order.
    private func observe(_ rows: [CapturedRows], _ microBatchRows: [Int], _ moments: [RunningMoments]) {
        for (group, moments) in zip(editor.groups, moments) {
            var first = 0
            for count in microBatchRows {
                for module in group.modules {
                    moments.observe(keys: rows[module].keys.rows(first..<first + count), gradients: rows[module].gradients.rows(first..<first + count))
                }
                first += count
            }
        }
    }

    /// The rows [modules · n] that a group's network makes, module by module; each rank runs it on its share.
    private func makeRows(
        _ group: Editor.Group, _ network: HyperNetwork, _ standardizer: Standardizer, _ captured: [CapturedRows],
        keepsActivations: Bool
    ) throws -> (EditStep.GroupPass, ReadoutRows) {
        let rows = GroupRows(group, group.modules.map { (captured[$0].keys, captured[$0].gradients) }, work: work)
        var pass: HyperNetwork.Pass?, own: [ReadoutRows]
        if keepsActivations && exchangesRows(rows.count, network) {
            let whole = forward(network, rows, rows.own, standardizer, keepsActivations: true)
            (pass, own) = (whole, [whole.made])
        } else {
            own = rows.own.chunks(of: rowsAtATime(network)).map { forward(network, rows, $0, standardizer, keepsActivations: false).made }
        }
        let rankRows = (0..<work.communicator.size).map { work.share(of: rows.count, rank: $0).count }
        let all = try ReadoutRows.stacked(own, of: network).map { try work.gatherRows($0, counts: rankRows) }
        return (EditStep.GroupPass(network: network, rows: rows, standardizer: standardizer, pass: pass), all)
    }

    /// The network's pass over the group's rows `range`, which are this rank's.
    func forward(
        _ network: HyperNetwork, _ rows: GroupRows, _ range: Range<Int>, _ standardizer: Standardizer,
        keepsActivations: Bool
    ) -> HyperNetwork.Pass {
        let (keys, gradients, modules) = rows.stacked(range)
        return network.forward(keys: keys, gradients: gradients, modules: modules, standardizer: standardizer, keepsActivations: keepsActivations)
    }

    /// Rows whose activations are a quarter of what is held at a time: gradients of them take as much again.
    func rowsAtATime(_ network: HyperNetwork) -> Int { max(1, activationsAtATime / 4 / max(1, network.activationsPerRow)) }
}
