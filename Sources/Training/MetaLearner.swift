import Communication
import Datasets
import Editors
import TensorCore
import Tokenizers
import Transformer

/// What meta-training does with each batch.
public struct LearningOptions: Sendable, Equatable {
    /// Sequential: all steps of a batch are learned from together and the model keeps its edits. Batch: each step is learned from by
    /// itself, with an update, and the model is as before afterwards.
    public enum Mode: Sendable { case sequential, batch }
    /// When gradients are clipped: each time a step's gradient has been added, or once before the update.
    public enum Clip: Sendable { case accumulated, update }

    public var mode: Mode
    public var steps: Int
    public var regularization: Float
    public var maxGradientNorm: Double
    public var metaLearningRate: Double
    public var clip: Clip = .accumulated
    /// Sequential: batches between updates; nil is one update for the sequence, after its last batch.
    public var updateEvery: Int?

    public init(mode: Mode, steps: Int, regularization: Float, maxGradientNorm: Double, metaLearningRate: Double) {
        self.mode = mode
        self.steps = steps
        self.regularization = regularization
        self.maxGradientNorm = maxGradientNorm
        self.metaLearningRate = metaLearningRate
    }
}

/// What learning from one batch reported.
public struct BatchReport: Sendable, Equatable {
    /// Of each learning step (sequential: one): Σ over the rephrasings' micro-batches of their mean cross entropy.
    public var losses: [Double] = []
    /// Gradient norms before clipping, where it took place.
    public var gradientNorms: [Double] = []
}

/// EMSEdit's meta-training (arXiv 2508.04012), a batch at a time: edits the model, scores the rephrasings on the edited model, and
/// learns from how the loss depends on the edit.
public final class MetaLearner {
    public let engine: EditEngine
    public let options: LearningOptions
    public private(set) var batchesSinceUpdate = 0
    public private(set) var updates = 0
    private let optimizer: Optimizer

    /// Called before parameters and Adam's moments are written: whoever is still reading them (a checkpoint) must be done when it returns.
    public var beforeWriting: () throws -> Void = {}
    /// Called with the gradients of a batch's step added and nothing clipped yet.
    public var inspectGradients: () -> Void = {}

    public init(engine: EditEngine, options: LearningOptions) {
        self.engine = engine
        self.options = options
        optimizer = Optimizer(editor: engine.editor, work: engine.work, maxGradientNorm: options.maxGradientNorm, rate: options.metaLearningRate)
    }

    /// Puts saved counters back.
    func resume(updates: Int, optimizerSteps: Int, batchesSinceUpdate: Int) {
        self.updates = updates
        self.batchesSinceUpdate = batchesSinceUpdate
        optimizer.adam.steps = optimizerSteps
    }

    var optimizerSteps: Int { optimizer.adam.steps }

    /// Learns from one batch. `place` names it in errors ("batch 7").
    public func learn(_ batch: EditBatch, place: String) throws -> BatchReport {
        switch options.mode {
        case .sequential: try learnSequentially(batch, place: place)
        case .batch: try learnInSteps(batch, place: place)
        }
    }

    /// The end of a sequence: applies what has been gathered since the last update.
    public func endSequence(place: String) throws {
        if batchesSinceUpdate > 0 { try update(place: place) }
    }

    private func learnSequentially(_ batch: EditBatch, place: String) throws -> BatchReport {
        var report = BatchReport()
        let edits = engine.pack(batch.edits)
        let steps = try (0..<options.steps).map { try engine.step($0, edits, keepsActivations: true, place: place) }
        let rephrasings = engine.pack(batch.rephrasings)
        let loss = try engine.accumulateMetaGradient(
            steps, rephrasings: rephrasings, regularization: options.regularization, place: place
        ) {
            inspectGradients()
            report.gradientNorms.append(try options.clip == .accumulated ? optimizer.clip(place: place) : optimizer.gradientNorm(place: place))
        }
        report.losses = [loss]
        batchesSinceUpdate += 1
        if let every = options.updateEvery, batchesSinceUpdate >= every { try update(place: place) }
        return report
    }

    private func learnInSteps(_ batch: EditBatch, place: String) throws -> BatchReport {
        var report = BatchReport()
        let model = engine.model, before = model.edited.map(\.edit)
        let edits = engine.pack(batch.edits)
        let rephrasings = engine.pack(batch.rephrasings)
        for step in 0..<options.steps {
            defer { for (module, edit) in zip(model.edited, before) { module.setEdit(edit) } }
            let made = try engine.step(step, edits, keepsActivations: true, place: place)
            report.losses.append(try engine.accumulateMetaGradient(
                [made], rephrasings: rephrasings, regularization: options.regularization, place: place
            ) {
                inspectGradients()
                report.gradientNorms.append(try optimizer.clip(place: place))
            })
            try engine.work.phases.measure(.checkpoint) { try beforeWriting() }
            try engine.work.phases.measure(.update) { try optimizer.step() }
            updates += 1
        }
        return report
    }

    private func update(place: String) throws {
        try engine.work.phases.measure(.checkpoint) { try beforeWriting() }
        try engine.work.phases.measure(.update) {
            if options.clip == .update { _ = try optimizer.clip(place: place) }
            try optimizer.step()
        }
        updates += 1
        batchesSinceUpdate = 0
    }
}
