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
    /// Of η and λ, where they are learned apart from the networks' matrices: of their logarithms.
    package var scalarLearningRate: Double?
    package var clip: Clip = .accumulated
    /// Where the plan looks back: how many batches the loss counts, and γ, by which each counts less than the one after it.
    package var backDepth = 1
    package var timeDecay: Float = 1
    /// In a sequence: batches between updates; nil is one update for the sequence, after its last batch.
    package var updateEvery: Int?
    package var terms = Terms()
    package var schedule = RateSchedule()
    /// Of each update, what the average of the parameters keeps of itself; nil: there is no average.
    package var averaging: Double?

    /// What the loss counts beside what the plan says: each the mean over its micro-batches, for every micro-batch of rephrasings.
    package struct Terms: Sendable {
        /// Of the edits' own cross entropy.
        package var edits: Float = 0
        /// Of KL(unedited‖edited) on unrelated prompts, and what a token may move for nothing.
        package var neighbors: (weight: Float, bound: Float) = (0, 0)
        /// The same on plain text.
        package var text: (weight: Float, bound: Float) = (0, 0)
        /// Of the rise of log P of an edit's answer after an unrelated prompt, from the unedited model.
        package var bleed: (weight: Float, bound: Float) = (0, 0)
        /// Of the rise, from so far below the unedited model, of log P of the old answers after the rephrasings.
        package var oldAnswers: (weight: Float, margin: Float) = (0, 0)

        package init() {}
    }

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
    /// Of each learning step the mean over micro-batches of a term, without its weight, where it is part of the loss.
    package var terms: [Objective.Kind: [Double]] = [:]
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
        optimizer = Optimizer(
            editor: engine.editor, work: engine.work, maxGradientNorm: options.maxGradientNorm, rate: options.metaLearningRate, scalarRate: options.scalarLearningRate)
        if options.averaging != nil { for parameter in engine.editor.parameters { parameter.beginAverage() } }
    }

    /// Runs `body` with the parameters that are to be used: their averages, where there are any.
    package func withUsedParameters<Result>(_ body: () throws -> Result) throws -> Result {
        guard options.averaging != nil else { return try body() }
        try beforeWriting()
        return try optimizer.withAverages(body)
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
        var report = BatchReport(), unrelated: [Objective.Term] = []
        let edits = engine.pack(batches[0]), progress = try engine.begin(edits.edits, place: place)
        var steps: [EditStep] = []
        for step in 0..<options.steps where !progress.isDone(engine.stepControl) {
            if step == options.steps - 1 { unrelated = self.unrelated(batches) }
            steps.append(try engine.step(step, edits, progress, keepsActivations: true, place: place))
        }
        let terms = rephrasings(batches) + unrelated + unedited(batches[0], edits)
        try accumulate(steps, terms, &report, place: place) {
            try options.clip == .accumulated ? optimizer.clip(place: place) : optimizer.gradientNorm(place: place)
        }
        try engine.hold(edits)
        batchesSinceUpdate += 1
        if let every = options.updateEvery, batchesSinceUpdate >= every { try update(place: place) }
        return report
    }

    private func learnInSteps(_ batch: EditBatch, place: String) throws -> BatchReport {
        var report = BatchReport()
        let model = engine.model, before = model.edited.map(\.edit)
        let edits = engine.pack(batch), terms = rephrasings([batch]) + unrelated([batch]) + unedited(batch, edits)
        for step in 0..<options.steps {
            defer { for (module, edit) in zip(model.edited, before) { module.setEdit(edit) } }
            let made = try engine.step(step, edits, engine.begin(edits.edits, place: place), keepsActivations: true, place: place)
            try accumulate([made], terms, &report, place: place) { try optimizer.clip(place: place) }
            try engine.work.phases.measure(.checkpoint) { try beforeWriting() }
            try engine.work.phases.measure(.update) { try takeStep() }
            updates += 1
        }
        return report
    }

    /// γ^age
    private var weights: [Float] { (0...batchesBack).map { Float(pow(Double(options.timeDecay), Double($0))) } }

    private func rephrasings(_ batches: [EditBatch]) -> [Objective.Term] {
        zip(batches, weights).map { Objective.Term(kind: .rephrasings, pack: engine.pack($0.rephrasings), weight: $1) }
    }

    /// What should stay as it is on the model as it is now.
    private func unrelated(_ batches: [EditBatch]) -> [Objective.Term] {
        guard options.plan.locality != nil else { return [] }
        return zip(batches, weights).map { batch, weight in
            let pack = engine.pack(batch.unrelated)
            return Objective.Term(kind: .unrelated, pack: pack, weight: options.localityWeight * weight, reference: engine.reference(pack))
        }
    }

    /// The terms beside the plan's; those of what should stay as it is on the unedited model.
    private func unedited(_ batch: EditBatch, _ edits: EditPack) -> [Objective.Term] {
        func weight(_ weight: Float, _ count: Int) -> Float { weight * Float(batch.rephrasings.count) / Float(count) }
        var terms: [Objective.Term] = []
        if options.terms.edits > 0 { terms.append(.init(kind: .edits, pack: edits.edits, weight: weight(options.terms.edits, edits.edits.answers.ofMicroBatches.count))) }
        let kept = [
            (Objective.Kind.neighbors, batch.unrelated, options.terms.neighbors), (.text, batch.text, options.terms.text), (.bleed, batch.bleed, options.terms.bleed),
            (.oldAnswers, batch.oldAnswers, (options.terms.oldAnswers.weight, -options.terms.oldAnswers.margin)),
        ].filter { $0.2.weight > 0 && !$0.1.isEmpty }
        let packs = kept.map { engine.pack($0.1) }
        for (term, (pack, reference)) in zip(kept, zip(packs, engine.uneditedReference(packs))) {
            terms.append(.init(kind: term.0, pack: pack, weight: weight(term.2.weight, term.1.count), reference: reference, bound: term.2.bound))
        }
        return terms
    }

    private func accumulate(_ steps: [EditStep], _ terms: [Objective.Term], _ report: inout BatchReport, place: String, norm: () throws -> Double) throws {
        let objective = Objective(terms: terms, normWeight: options.plan.norm != nil ? options.regularization : 0)
        var norms: [Double] = []
        let value = try engine.accumulateMetaGradient(steps, objective, place: place) {
            inspectGradients()
            norms.append(try norm())
        }
        report.gradientNorms += norms
        report.losses.append(value[.rephrasings] ?? 0)
        if let divergence = value[.unrelated] { report.divergences.append(divergence) }
        for term in terms where term.kind != .rephrasings && term.kind != .unrelated {
            let microBatches = term.pack.answers.ofMicroBatches.count
            report.terms[term.kind, default: []].append((value[term.kind] ?? 0) / Double(term.weight) / Double(microBatches))
        }
    }

    private func takeStep() throws {
        try optimizer.step(factor: options.schedule.factor(update: updates))
        if let decay = options.averaging { optimizer.average(decay: decay, updates: updates) }
    }

    private func update(place: String) throws {
        try engine.work.phases.measure(.checkpoint) { try beforeWriting() }
        try engine.work.phases.measure(.update) {
            if options.clip == .update { _ = try optimizer.clip(place: place) }
            try takeStep()
        }
        updates += 1
        batchesSinceUpdate = 0
    }
}
