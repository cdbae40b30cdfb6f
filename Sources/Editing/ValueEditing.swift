import Datasets
import Editors
import LinearAlgebra
import Settings
import TensorCore
import Tokenization
import Transformer

/// What a method that locates and edits can be told: see `ValueEditing`.
struct ValueEditingKind: EditLoopKind {
    let steps = Setting("value_steps", .count, default: 25, identity: .runUnlessDefault, "of Adam at most, in which the value of an edit is found")
    let rate = Setting("value_rate", .positive, default: 0.1, identity: .runUnlessDefault, "Adam's, of values")
    let decay = Setting(
        "value_decay", .notNegative, default: 0.5, identity: .runUnlessDefault, "what the loss counts of ‖δ‖ / ‖h‖², a value's change and what it changes")
    let bound = Setting("value_bound", .positive, default: 0.75, identity: .runUnlessDefault, "how long a value's change may become, as a share of what it changes")
    let stopLoss = Setting("stop_loss", .notNegative, default: 0.05, identity: .runUnlessDefault, "a value whose loss is below it is found")
    let essenceWeight = Setting(
        "essence_weight", .notNegative, default: 0.0625, identity: .runUnlessDefault,
        "what the loss counts of KL(before‖after) of the word after the subject and \"is a\"")
    let ridge: Setting<Double>

    init(ridge: Double) {
        self.ridge = Setting(
            "ridge", .positive, default: ridge, identity: .runUnlessDefault, "λ, what a shift costs by its size; background_weight and earlier_weight are multiples of it"
        )
    }

    var settings: [any AnySetting] { [steps, rate, decay, bound, stopLoss, essenceWeight, ridge] }
    var positions: EditorOptions.Positions { .subjectLast }
    var preserves: Bool { true }
    var needsEssences: Bool { true }
    var answerEnd: EditorSettings.AnswerEnd { .open }
    var tuning: [LoopTuning] { [.factors(ridge, [0.1, 10]), .factors(bound, [0.5, 2]), .factors(rate, [1 / 3.0, 3])] }

    func loop(_ editor: Section<EditorSettings>, for engine: EditEngine, context: LoopContext) throws -> any EditLoop {
        try check(engine.model, context.source)
        var loop = ValueEditing()
        (loop.steps, loop.rate, loop.stopLoss) = (editor[steps], Float(editor[rate]), Float(editor[stopLoss]))
        (loop.decay, loop.bound, loop.essenceWeight) = (Float(editor[decay]), Float(editor[bound]), Float(editor[essenceWeight]))
        loop.ridge = Float(editor[ridge])
        return loop
    }

    /// Values are what a layer adds to its token, and count for later tokens only in the layers above.
    private func check(_ model: LanguageModel, _ source: String) throws {
        func refuse(_ problem: String) -> ConfigurationError { ConfigurationError(location: source, keyPath: "editor.modules", problem: problem) }
        for (index, module) in model.edited.enumerated() {
            guard let place = model.place(of: module), place.writes, place.layer < model.configuration.layerCount - 1 else {
                throw refuse("'\(module.name)' does not write what a layer below the last adds to its token; expected down projections, such as those of layers 4 to 8")
            }
            if index > 0, let last = model.place(of: model.edited[index - 1]), last.layer >= place.layer {
                throw refuse("'\(module.name)' comes after '\(model.edited[index - 1].name)'; expected them from the lowest layer up")
            }
            if model.edited.count > 1, model.isNormedBehind(module) {
                throw refuse(
                    "there are \(model.edited.count), and what '\(module.name)' makes is normed before it is added, so that a change cannot be shared out among layers; expected one"
                )
            }
        }
    }
}

/// Locate and edit (MEMIT, arXiv 2210.07229; AlphaEdit, arXiv 2410.02355): for each edit the change δ of what the last edited layer writes at the subject's last token that makes the model say the
/// answer, found by Adam; then, layer by layer from below, the shift that makes an equal share of what is still lacking of it, by ridge regression of the module's keys at that token.
///
/// The loss of a value is the mean over the edit's prompts, its own and those behind other text, of their cross entropy, and KL(before‖after) of the word after the subject and "is a", which is to stay
/// what it is, and a term for its length.
struct ValueEditing: EditLoop {
    var steps = 25
    var rate: Float = 0.1
    var decay: Float = 0.5
    var bound: Float = 0.75
    var stopLoss: Float = 0.05
    var essenceWeight: Float = 0.0625
    var ridge: Float = 1

    func make(_ batch: EditBatch, with engine: EditEngine, place: String) throws {
        let model = engine.model, own = batch.edits.flatMap(\.self), all = engine.sequences(of: batch)
        let backgrounds = try engine.backgrounds(place: place), last = model.edited.count - 1
        let targets = try engine.work.phases.measure(.capture) { try self.targets(own, all, engine.essences(of: batch), engine, place) }
        let contrasts = engine.contrasts(of: batch)
        for index in model.edited.indices {
            let (keys, contrast) = try engine.work.phases.measure(.capture) {
                try model.editing([index]) { (try engine.meanKeys(of: all, edits: own.count), try engine.contrastKeys(of: contrasts)) }
            }
            let lacking = try engine.work.phases.measure(.capture) { try model.editing([last]) { try engine.written(own) } }
            lacking.scale(by: -1)
            lacking.add(targets)
            lacking.scale(by: 1 / Float(model.edited.count - index))
            var system = ShiftSystem(keys: keys, made: ReadoutRows(differences: lacking), lambda: ridge)
            (system.background, system.contrast) = (backgrounds?[index], contrast)
            let module = model.edited[index], solution: any ShiftSolution
            do { solution = try engine.work.phases.measure(.solve) { try engine.rule.solve(system) } } catch {
                throw NumericalFailure("\(place), \(module.name): \(error)")
            }
            guard solution.isFinite else { throw NumericalFailure("\(place), \(module.name): the edit is not finite") }
            engine.work.phases.measure(.apply) { solution.apply(to: module) }
            if engine.preservation.earlierWeight > 0 { module.hold(keys: keys) }
        }
    }

    /// What the last edited layer is to write at each edit's subject [n, d].
    private func targets(_ own: [TokenSequence], _ all: [TokenSequence], _ essences: [TokenSequence], _ engine: EditEngine, _ place: String) throws -> Matrix {
        let model = engine.model
        return try model.editing([model.edited.count - 1]) {
            let start = try engine.written(own), deltas = Matrix(rows: start.rows, columns: start.columns)
            let (first, second) = (Matrix(rows: start.rows, columns: start.columns), Matrix(rows: start.rows, columns: start.columns))
            let lengths = (0..<start.rows).map { Float(start.rows($0..<$0 + 1).sumOfSquares.squareRoot()) }
            let prompts = engine.pack(all.map { [$0] }), subjects = essences.isEmpty || essenceWeight == 0 ? nil : engine.pack(essences.map { [$0] })
            let reference = subjects.map(engine.reference)
            var isFound = [Bool](repeating: false, count: own.count), adam = Adam(rate: rate)
            for step in 0..<steps {
                var (losses, gradient) = try engine.valueGradient(prompts, of: deltas) { _ in .crossEntropy(weight: 1) }
                if let subjects, let reference {
                    let more = try engine.valueGradient(subjects, of: deltas) { .divergence(from: reference[$0], weight: essenceWeight) }
                    for edit in losses.indices { losses[edit] += more.losses[edit] }
                    gradient.add(more.gradient)
                }
                if let edit = losses.firstIndex(where: { !$0.isFinite }) {
                    throw NumericalFailure(
                        "\(place), step \(step + 1): the loss of a value is not finite, of \(own.first { $0.edit == edit }?.source ?? "edit \(edit + 1)")")
                }
                for edit in losses.indices {
                    let delta = deltas.rows(edit..<edit + 1), length = Float(delta.sumOfSquares.squareRoot()),
                        square = max(lengths[edit] * lengths[edit], .leastNormalMagnitude)
                    if losses[edit] + decay * length / square < stopLoss { isFound[edit] = true }
                    if length > 0 { gradient.rows(edit..<edit + 1).add(delta, times: decay / (length * square)) }
                }
                if !isFound.contains(false) { break }
                let before = deltas.copy()
                adam.begin()
                adam.step(deltas, first, second, gradient)
                for edit in losses.indices {
                    let delta = deltas.rows(edit..<edit + 1), length = Float(delta.sumOfSquares.squareRoot()), limit = bound * lengths[edit]
                    if isFound[edit] { delta.assign(before.rows(edit..<edit + 1)) } else if length > limit { delta.scale(by: limit / length) }
                }
            }
            start.add(deltas)
            return start
        }
    }
}

extension EditEngine {
    /// Which of a sequence's tokens an edit is made at: its subject's last, or the prompt's where no subject is known.
    private func place(_ sequence: TokenSequence) -> Int { editor.options.positions.rows(of: sequence).lowerBound }

    /// Where that is in a chunk, of each of its sequences.
    private func places(_ chunk: ShardedPack.Chunk) -> [Int] {
        var first = 0
        return chunk.sequences.map { sequence in
            defer { first += sequence.fedCount }
            return first + place(sequence)
        }
    }

    /// What `rows` takes of each chunk's sequences, a row each, of all ranks in their order.
    private func gather(_ pack: ShardedPack, columns: Int, _ rows: (ShardedPack.Chunk, _ places: [Int]) -> Matrix) throws -> Matrix {
        let own = Matrix.stacked(pack.chunks.map { rows($0, places($0)) }, columns: columns)
        return try work.gatherRows(own, counts: pack.sequenceCounts.ofRanks)
    }

    /// What the last edited module's layer hands on at each edit's place [n, d]; where its output is normed before that, the output. Of each edit one sequence, in any order.
    func written(_ sequences: [TokenSequence]) throws -> Matrix {
        let pack = pack(sequences.map { [$0] }), module = model.edited[model.edited.count - 1]
        let rows = try gather(pack, columns: module.valueSize) { chunk, places in
            guard model.isNormedBehind(module) else { return model.hiddenAboveEdits(chunk.pack, chunk.prefix).rows(places) }
            var made = Matrix(rows: 0, columns: module.valueSize)
            model.captureKeys(chunk.pack, chunk.prefix, on: .allTokens) { _, keys in made = module.output(of: keys.rows(places)) }
            return made
        }
        return Self.means(rows, sequences, edits: sequences.count)
    }

    /// The mean of each edit's keys of the one module that is edited now, over its prompts [n, k].
    func meanKeys(of sequences: [TokenSequence], edits: Int) throws -> Matrix {
        let pack = pack(sequences.map { [$0] }), module = model.edited[0]
        let all = try gather(pack, columns: module.keySize) { chunk, places in
            var own = Matrix(rows: 0, columns: module.keySize)
            model.captureKeys(chunk.pack, chunk.prefix, on: .allTokens) { _, keys in own = keys.rows(places) }
            return own
        }
        return Self.means(all, sequences, edits: edits)
    }

    /// Of each edit, in the order of their numbers, the mean of the rows of its sequences, which a batch has in the order of their lengths.
    private static func means(_ rows: Matrix, _ sequences: [TokenSequence], edits: Int) -> Matrix {
        let result = Matrix(rows: edits, columns: rows.columns)
        var counts = [Int](repeating: 0, count: edits)
        for (row, sequence) in sequences.enumerated() {
            let edit = sequence.edit ?? row
            result.rows(edit..<edit + 1).add(rows.rows(row..<row + 1))
            counts[edit] += 1
        }
        for edit in 0..<edits where counts[edit] > 1 { result.rows(edit..<edit + 1).scale(by: 1 / Float(counts[edit])) }
        return result
    }

    /// With `deltas` added to what the one edited module makes at each sequence's place: of each edit the mean loss of its sequences, and its gradient [n, v]. `loss` is asked for each chunk.
    func valueGradient(_ pack: ShardedPack, of deltas: Matrix, _ loss: (_ chunk: Int) -> AnswerLoss) throws -> (losses: [Float], gradient: Matrix) {
        let module = model.edited[0]
        defer { module.offsets = nil }
        var index = 0
        // The loss stands in a column of its own behind the gradient.
        let all = try gather(pack, columns: module.valueSize + 1) { chunk, places in
            let offsets = chunk.sequences.enumerated().map { deltas.rows(($1.edit ?? $0)..<($1.edit ?? $0) + 1) }
            module.offsets = OutputOffsets(rows: places, values: .stacked(offsets, columns: module.valueSize), rowCount: chunk.pack.tokenCount)
            let rows = Matrix(rows: places.count, columns: module.valueSize + 1)
            let losses = model.backpropagate(model.forwardPass(chunk.pack, chunk.prefix, on: .allTokens), loss: loss(index)) { captured in
                for (row, place) in places.enumerated() { rows.row(row).update(from: captured.gradients.row(place), count: module.valueSize) }
            }
            for (row, range) in chunk.pack.predictions.enumerated() { rows[row, module.valueSize] = range.reduce(0) { $0 + losses[$1] } }
            index += 1
            return rows
        }
        let means = Self.means(all, pack.sequences, edits: deltas.rows)
        let gradient = Matrix(uninitializedRows: deltas.rows, columns: module.valueSize)
        for row in 0..<deltas.rows { gradient.row(row).update(from: means.row(row), count: module.valueSize) }
        return ((0..<deltas.rows).map { means[$0, module.valueSize] }, gradient)
    }
}

extension Matrix {
    /// Copies of some rows.
    fileprivate func rows(_ places: [Int]) -> Matrix {
        let result = Matrix(uninitializedRows: places.count, columns: columns)
        for (row, place) in places.enumerated() { result.row(row).update(from: self.row(place), count: columns) }
        return result
    }
}
