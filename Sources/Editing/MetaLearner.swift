import Communication
import Datasets
import Editors
import Foundation
import TensorCore
import Tokenization
import Transformer

/// What meta-training does with each batch.
package struct LearningOptions: Sendable {
    /// When gradients are clipped: each time a step's gradient has been added, or once before the update.
    package enum Clip: Sendable { case accumulated, update }

    package var plan: EditingMethod.Plan
    package var steps: Int
    /// ρ
    package var regularization: Float
    /// c
    package var localityWeight: Float
    package var maxGradientNorm: Double
    package var metaLearningRate: Double
    package var clip: Clip = .accumulated
    /// Where the plan looks back: how many batches the loss counts, and γ, by which each counts less than the one after it.
    package var backDepth = 1
    package var timeDecay: Float = 1
    /// In a sequence: batches between updates; nil is one update for the sequence, after its last batch.
    package var updateEvery: Int?

    package init(plan: EditingMethod.Plan, steps: Int, regularization: Float, localityWeight: Float, maxGradientNorm: Double, metaLearningRate: Double) {
        self.plan = plan
        self.steps = steps
        self.regularization = regularization
        self.localityWeight = localityWeight
        self.maxGradientNorm = maxGradientNorm
        self.metaLearningRate = metaLearningRate
    }
}

/// What learning from one batch reported.
package struct BatchReport: Sendable, Equatable {
    /// Of each learning step (in a sequence: one; where nothing is learned: none): Σ over the rephrasings' micro-batches of their mean cross entropy.
    package var losses: [Double] = []
    /// Of each learning step: Σ over the unrelated prompts' micro-batches of their mean divergence, with its weight, where it is part of the loss.
    package var divergences: [Double] = []
    /// Gradient norms before clipping, where it took place.
    package var gradientNorms: [Double] = []
}

/// Meta-training by a method's plan, a batch at a time: edits the model, evaluates the objective on the edited model, and
/// learns from how it depends on the edit.
package final class MetaLearner {
    package let engine: EditEngine
    package let options: LearningOptions
    package private(set) var batchesSinceUpdate = 0
    package private(set) var updates = 0
    private let optimizer: Optimizer

    /// Called before parameters and Adam's moments are written: whoever is still reading them (a checkpoint) must be done when it returns.
    package var beforeWriting: () throws -> Void = {}
    /// Called with the gradients of a batch's step added and nothing clipped yet.
    package var inspectGradients: () -> Void = {}

    package init(engine: EditEngine, options: LearningOptions) {
        self.engine = engine
        self.options = options
        optimizer = Optimizer(editor: engine.editor, work: engine.work, maxGradientNorm: options.maxGradientNorm, rate: options.metaLearningRate)
    }

    /// Puts saved counters back.
    package func resume(updates: Int, optimizerSteps: Int, batchesSinceUpdate: Int) {
        self.updates = updates
        self.batchesSinceUpdate = batchesSinceUpdate
        optimizer.adam.steps = optimizerSteps
    }

    /// Whether batches have a loss; otherwise they are only edited.
    package var learns: Bool {
        if case .none = options.plan.schedule { return false }
        return true
    }

    package var optimizerSteps: Int { optimizer.adam.steps }

    /// How many batches before one are to be given to `learn` beside it, as far as its sequence has them.
    package var batchesBack: Int { options.plan.window != nil ? options.backDepth - 1 : 0 }

    /// Learns from one batch; `earlier` are those before it, the last first. `place` names it in errors ("batch 7").
    package func learn(_ batch: EditBatch, earlier: [EditBatch] = [], place: String) throws -> BatchReport {
        switch options.plan.schedule {
        case .sequence: return try learnSequentially([batch] + earlier, place: place)
        case .step: return try learnInSteps(batch, place: place)
        case .none:
            try engine.apply(batch, place: place)
            return BatchReport()
        }
    }

    /// The end of a sequence: applies what has been gathered since the last update.
    package func endSequence(place: String) throws {
        if batchesSinceUpdate > 0 { try update(place: place) }
    }

    /// The first of `batches` is edited, all are learned from.
    private func learnSequentially(_ batches: [EditBatch], place: String) throws -> BatchReport {
        var report = BatchReport(), unrelated: [Objective.Unrelated] = []
        let edits = engine.pack(batches[0])
        let steps = try (0..<options.steps).map { step in
            if step == options.steps - 1 { unrelated = self.unrelated(batches) }
            return try engine.step(step, edits, keepsActivations: true, place: place)
        }
        let rephrasings = zip(batches, weights).map { (pack: engine.pack($0.rephrasings), weight: $1) }
        try accumulate(steps, objective(rephrasings, unrelated), &report, place: place) {
            try options.clip == .accumulated ? optimizer.clip(place: place) : optimizer.gradientNorm(place: place)
        }
        batchesSinceUpdate += 1
        if let every = options.updateEvery, batchesSinceUpdate >= every { try update(place: place) }
        return report
    }

    private func learnInSteps(_ batch: EditBatch, place: String) throws -> BatchReport {
        var report = BatchReport()
        let model = engine.model, before = model.edited.map(\.edit)
        let edits = engine.pack(batch), rephrasings = engine.pack(batch.rephrasings), unrelated = unrelated([batch])
        for step in 0..<options.steps {
            defer { for (module, edit) in zip(model.edited, before) { module.setEdit(edit) } }
            let made = try engine.step(step, edits, keepsActivations: true, place: place)
            try accumulate([made], objective([(rephrasings, 1)], unrelated), &report, place: place) { try optimizer.clip(place: place) }
            try engine.work.phases.measure(.checkpoint) { try beforeWriting() }
            try engine.work.phases.measure(.update) { try optimizer.step() }
            updates += 1
        }
        return report
    }

    /// γ^age
    private var weights: [Float] { (0...batchesBack).map { Float(pow(Double(options.timeDecay), Double($0))) } }

    /// What should stay as it is on the model as it is now.
    private func unrelated(_ batches: [EditBatch]) -> [Objective.Unrelated] {
        guard options.plan.locality != nil else { return [] }
        return zip(batches, weights).map { batch, weight in
            let pack = engine.pack(batch.unrelated)
            return Objective.Unrelated(pack: pack, weight: options.localityWeight * weight, reference: engine.reference(pack))
        }
    }

    private func objective(_ rephrasings: [(pack: ShardedPack, weight: Float)], _ unrelated: [Objective.Unrelated]) -> Objective {
        Objective(rephrasings: rephrasings, normWeight: options.plan.norm != nil ? options.regularization : 0, unrelated: unrelated)
    }

    private func accumulate(_ steps: [EditStep], _ objective: Objective, _ report: inout BatchReport, place: String, norm: () throws -> Double) throws {
        var norms: [Double] = []
        let value = try engine.accumulateMetaGradient(steps, objective, place: place) {
            inspectGradients()
            norms.append(try norm())
        }
        report.gradientNorms += norms
        report.losses.append(value.crossEntropy)
        if let divergence = value.divergence { report.divergences.append(divergence) }
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
