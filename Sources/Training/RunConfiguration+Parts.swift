import Communication
import Configuration
import Datasets
import Editing
import Editors
import LinearAlgebra
import Settings
import Tokenization
import Transformer

// The parts of a run that its configuration describes.

extension RunConfiguration {
    package func work(_ communicator: Communicator) -> ShardedWork {
        ShardedWork(communicator: communicator, shards: run.shards, reduction: run.reduction == .fast ? .fast : .ordered)
    }

    /// Of products with the weights of the model and of the hypernetworks; `auto` has been replaced by what it stands for, see ComputeChoice.
    package var arithmetic: Arithmetic {
        guard let arithmetic = run.compute else { preconditionFailure("run.compute=auto is resolved before a run begins") }
        return arithmetic
    }

    /// An engine with a fresh editor for the model's edited modules. Collective; reads plain text with the unedited model where edits should leave it alone.
    package func engine(model: LanguageModel, tokenizer: Tokenizer, work: ShardedWork) throws -> EditEngine {
        let shapes = model.edited.map { ModuleShape(keySize: $0.keySize, valueSize: $0.valueSize) }
        var options = EditorOptions(
            steps: editor.steps, rank: editor.rank, blocks: editor.blocks, innerLearningRate: Float(editor.innerLearningRate),
            hasNetworkPerStep: plan.hasNetworkPerStep, seed: UInt64(run.seed))
        options.arithmetic = arithmetic
        options.positions = editor.positions
        options.initialization = editor.initialization
        options.normalizer = editor.normalizer
        options.learnsLogarithmOfRates = editor.scalarLearningRate > 0
        options.use(method)
        let engine = EditEngine(
            model: model, editor: Editor(options, shapes: shapes, ownership: Ownership(pieces: work.shards, owned: work.ownShards)), rule: method.rule, work: work)
        (engine.stepControl.lossBound, engine.stepControl.halvings) = (Float(editor.lossBound), editor.halvings)
        engine.stepControl.stepBound = Float(editor.stepBound)
        engine.preservation.contrastWeight = Float(editor.contrastWeight)
        if editor.contrastWeight > 0 { engine.preservation.contrastPositions = editor.contrastPositions }
        engine.preservation.earlierWeight = Float(editor.earlierWeight)
        if editor.backgroundWeight > 0 || editor.backgroundShare > 0 {
            let passages = PlainText.sequences(PlainText.background, tokenizer: tokenizer, model: model, microBatch: data.microBatch)
            try engine.takeBackground(from: passages, weight: Float(editor.backgroundWeight), share: editor.backgroundShare)
        }
        engine.loop = try method.loop?.loop(
            editor, for: engine,
            context: LoopContext(seed: UInt64(run.seed), source: source) {
                PlainText.sequences(PlainText.background, tokenizer: tokenizer, model: model, microBatch: data.microBatch)
            })
        return engine
    }

    /// The tokens at which the method captures keys and gradients.
    private var positions: EditorOptions.Positions { method.loop?.positions ?? editor.positions }

    /// What contrasts with edits, where it counts.
    package var contrast: ContrastPrompts? {
        editor.contrastWeight > 0 ? ContrastPrompts(count: editor.contrastSubjects, seed: UInt64(run.seed)) : nil
    }

    /// What is to be said of records that are edited, beside their repetitions.
    package func notes(onEdits records: [EditRecord]) -> [String] {
        [noteOnMissingSubjects(of: records), positions.needsSubject ? RepeatedPrompts(records).noteOnSubjects : nil].compactMap(\.self)
    }

    /// What is to be said of settings that say what training should count, where it counts none of it.
    package var noteOnIdleTerms: String? {
        let terms = [
            ("neighbor_weight", training.neighborWeight, "neighbor_bound", training.neighborBound),
            ("bleed_weight", training.bleedWeight, "bleed_bound", training.bleedBound),
            ("text_weight", training.textWeight, "text_bound", training.textBound),
        ]
        if !method.isTrained {
            let idle = (terms.map { ($0.0, $0.1) } + [("edit_weight", training.editWeight), ("old_answer_weight", training.oldAnswerWeight)]).filter { $0.1 > 0 }
            return idle.isEmpty ? nil : "training.\(idle.map(\.0).joined(separator: ", ")): nothing is learned with editor.method \(method.name), so nothing is counted"
        }
        let idle = terms.filter { $0.1 == 0 && $0.3 > 0 }
        return idle.isEmpty
            ? nil
            : "training.\(idle.map(\.2).joined(separator: ", ")): without training.\(idle.map(\.0).joined(separator: ", ")) nothing is counted, and no bound matters"
    }

    /// What follows for those of which no subject is known.
    package func noteOnMissingSubjects(of records: [EditRecord]) -> String? {
        let consequences = [
            contrast == nil ? nil : "editor.contrast_weight does nothing for them",
            positions.needsSubject
                ? "\(method.loop == nil ? "editor.positions=\(positions.rawValue)" : "editor.method \(method.name)") edits them where the answer is predicted" : nil,
        ].compactMap(\.self)
        return consequences.isEmpty ? nil : SubjectSpan.note(on: records, consequences.joined(separator: ", and "))
    }

    /// The records of a file, as they are edited.
    package func records(of split: Section<SplitSettings>) throws -> [EditRecord] {
        try DatasetFile.load(split.path, format: split.format).map { $0.editing(rephrasings: editor.rephrasings) }
    }

    /// A batch of records as the editor takes it, or without what contrasts with them, which need not be read; with all that the objective counts where it is to be learned from.
    package func batch(_ records: [EditRecord], tokenizer: Tokenizer, hasContrasts: Bool = true, isLearned: Bool = false) throws -> EditBatch {
        var form = EditBatch.Form(microBatch: data.microBatch)
        form.endsText = editor.answerEnd == .endOfText
        form.contrast = hasContrasts ? contrast : nil
        form.hasEssences = method.loop?.needsEssences ?? false
        form.marksSubjects = positions.needsSubject || editor.contrastPositions.needsSubject
        if editor.prefixes > 0 { form.prefixes = Prefixes(count: editor.prefixes, seed: UInt64(run.seed)) }
        (form.hasBleed, form.hasOldAnswers) = (isLearned && training.bleedWeight > 0, isLearned && training.oldAnswerWeight > 0)
        return try EditBatch(records: records, tokenizer: tokenizer, form)
    }

    package var learning: LearningOptions {
        var options = LearningOptions(
            plan: plan, steps: editor.steps, regularization: plan.norm.map { Float(editor[$0]) } ?? 0,
            localityWeight: plan.locality.map { Float(editor[$0]) } ?? 0, maxGradientNorm: editor.maxGradientNorm, metaLearningRate: editor.metaLearningRate)
        options.clip = training.clip == .accumulated ? .accumulated : .update
        options.updateEvery = training.updateEvery
        if editor.scalarLearningRate > 0 { options.scalarLearningRate = editor.scalarLearningRate }
        options.terms.edits = Float(training.editWeight)
        options.terms.neighbors = (Float(training.neighborWeight), Float(training.neighborBound))
        options.terms.bleed = (Float(training.bleedWeight), Float(training.bleedBound))
        options.terms.oldAnswers = (Float(training.oldAnswerWeight), Float(training.oldAnswerMargin))
        options.terms.text = (Float(training.textWeight), Float(training.textBound))
        (options.schedule.warmup, options.schedule.decay) = (training.warmup, training.decay)
        if training.averaging > 0 { options.averaging = training.averaging }
        if let window = plan.window { (options.backDepth, options.timeDecay) = (editor[window.depth], Float(editor[window.decay])) }
        return options
    }
}

extension PlainText {
    /// Passages as sequences whose every token but the last is read, cut to what the model can read; those of fewer than two tokens, or of tokens that the model does not have, are left out.
    package static func sequences(_ passages: [String], tokenizer: Tokenizer, model: LanguageModel, microBatch: Int) -> [[TokenSequence]] {
        let sequences = passages.compactMap { passage -> TokenSequence? in
            let tokens = tokenizer.encode(passage, addSpecialTokens: true).prefix(model.longestSequence)
            return tokens.count < 2 || !model.canRead(Array(tokens)) ? nil : TokenSequence(prompt: Array(tokens.prefix(1)), answer: Array(tokens.dropFirst()))
        }
        return stride(from: 0, to: sequences.count, by: microBatch).map { Array(sequences[$0..<min(sequences.count, $0 + microBatch)]) }
    }
}
