import CKernels
import Datasets
import Editors
import LinearAlgebra
import Settings
import TensorCore
import Tokenization
import Transformer

/// What a method that fine-tunes can be told: see `FineTuning`.
struct FineTuningKind: EditLoopKind {
    let epochs = Setting("epochs", .count, default: 25, identity: .runUnlessDefault, "how often the edits of a batch are gone through at most")
    let miniBatch: Setting<Int>
    let learningRate = Setting("learning_rate", .positive, default: 5e-4, identity: .runUnlessDefault, "Adam's, of the edited weights themselves")
    let stopLoss = Setting(
        "stop_loss", .notNegative, default: 0.01, identity: .runUnlessDefault,
        "edits whose mean loss is below it take no step, and a batch is done when the mean over all its edits is")
    let regularization = Setting<Double>.regularization(0)
    /// nil: gradients go wherever they point.
    let curvatureShare: Setting<Double>?

    init(miniBatch: Int, curvatureShare: Double? = nil) {
        self.miniBatch = Setting("mini_batch", .count, default: miniBatch, identity: .runUnlessDefault, "edits of one step of Adam")
        self.curvatureShare = curvatureShare.map {
            Setting(
                "curvature_share", .properShare, default: $0, identity: .runUnlessDefault,
                "γ, the share of the curvature of the loss on plain text that the largest directions hold which no step goes along; costs the eigenvectors of a [k, k] and a "
                    + "[v, v] matrix for each module whenever an editor is opened")
        }
    }

    var settings: [any AnySetting] { [epochs, miniBatch, learningRate, stopLoss, regularization] + (curvatureShare.map { [$0] } ?? []) }
    var positions: EditorOptions.Positions { .all }
    var preserves: Bool { false }
    var needsEssences: Bool { false }
    var answerEnd: EditorSettings.AnswerEnd { .endOfText }
    var tuning: [LoopTuning] {
        [.factors(learningRate, [1 / 3.0, 3]), .choices(miniBatch, ["8", "20"])] + (curvatureShare.map { [.choices($0, ["0.5", "0.9", "0.999"])] } ?? [])
    }

    func loop(_ editor: Section<EditorSettings>, for engine: EditEngine, context: LoopContext) throws -> any EditLoop {
        var loop = FineTuning(seed: context.seed)
        (loop.epochs, loop.miniBatch) = (editor[epochs], editor[miniBatch])
        (loop.learningRate, loop.stopLoss) = (Float(editor[learningRate]), editor[stopLoss])
        loop.regularization = Float(editor[regularization])
        if let share = curvatureShare.map({ editor[$0] }), share > 0 {
            loop.projections = try engine.lowCurvature(of: context.plainText(), share: share, seed: context.seed)
        }
        return loop
    }
}

/// Fine-tuning of the edited modules on a batch's edits, breadth first (arXiv 2509.22072): epochs over all edits in random order, a step of Adam for each mini-batch.
///
/// The loss is the mean over a mini-batch's edits of the mean cross entropy of each one's answer, and ρ‖W − W₀‖². Adam begins anew with every batch, and ends where all its edits are made.
struct FineTuning: EditLoop {
    var epochs = 25
    var miniBatch = 100
    var learningRate: Float = 5e-4
    var stopLoss = 0.01
    var regularization: Float = 0
    /// Of each edited module; nil: gradients go wherever they point.
    var projections: [LowCurvature]?
    let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    func make(_ batch: EditBatch, with engine: EditEngine, place: String) throws {
        let sequences = engine.sequences(of: batch), order = SampleOrder(count: sequences.count, seed: seed)
        let weights = engine.model.edited.map(TunedWeight.init)
        // One mini-batch is the same in every epoch.
        let whole = sequences.count <= miniBatch ? engine.pack(sequences.map { [$0] }) : nil
        var adam = Adam(rate: learningRate)
        for epoch in 0..<epochs {
            var sum = 0.0
            for part in order.records(epoch * sequences.count..<(epoch + 1) * sequences.count).chunks(of: miniBatch) {
                let pack = whole ?? engine.pack(part.map { [sequences[$0]] }), progress = BatchProgress(backgrounds: nil)
                try engine.work.phases.measure(.capture) { try engine.askForLosses(pack, progress) }
                let loss = (progress.losses ?? []).reduce(0) { $0 + Double($1) }
                sum += loss
                // What is no number is for the capture to tell of, which names the edit.
                if loss / Double(part.count) < stopLoss { continue }
                let rows = try engine.work.phases.measure(.capture) { try engine.capture(pack, after: progress, place: "\(place), epoch \(epoch + 1)") }
                engine.work.phases.measure(.update) {
                    adam.begin()
                    for (index, weight) in weights.enumerated() { step(weight, rows[index], count: part.count, projections?[index], adam) }
                }
            }
            if sum / Double(sequences.count) < stopLoss { return }
        }
    }

    /// `rows` are those of `count` edits.
    private func step(_ weight: TunedWeight, _ rows: CapturedRows, count: Int, _ projection: LowCurvature?, _ adam: Adam) {
        let gradient = projection?.gradient(rows) ?? multiply(rows.gradients.transposed, rows.keys.operand)
        gradient.scale(by: 1 / Float(count))
        if regularization > 0 { gradient.add(weight.shift, times: 2 * regularization) }
        weight.step(gradient, adam)
    }
}

/// A module's ΔW [v, k] and what Adam knows of it.
private final class TunedWeight {
    private let module: Linear
    private(set) var shift: Matrix
    private let first: Matrix
    private let second: Matrix

    init(_ module: Linear) {
        self.module = module
        shift = module.edit.materialized()
        first = Matrix(rows: module.valueSize, columns: module.keySize)
        second = Matrix(rows: module.valueSize, columns: module.keySize)
    }

    func step(_ gradient: Matrix, _ adam: Adam) {
        // The one before may be in use elsewhere: it is not written.
        let next = shift.copy()
        adam.step(next, first, second, gradient)
        shift = next
        module.setEdit(WeightEdit(keySize: module.keySize, valueSize: module.valueSize, factors: nil, dense: next, held: module.edit.held))
    }
}

extension [Int] {
    /// Cut into parts of `size`, the last perhaps shorter.
    fileprivate func chunks(of size: Int) -> [[Int]] { indices.chunks(of: size).map { Array(self[$0]) } }
}
