import Communication
import Configuration
import Editing
import Editors
import LinearAlgebra
import Transformer

/// Builds the parts of a run from its configuration.
package enum EditorSetup {
    package static func work(_ configuration: RunConfiguration, _ communicator: Communicator) -> ShardedWork {
        ShardedWork(communicator: communicator, shards: configuration.run.shards, reduction: configuration.run.reduction == .fast ? .fast : .ordered)
    }

    /// Of products with the weights of the model and of the hypernetworks; `auto` has been replaced by what it stands for, see ComputeChoice.
    package static func arithmetic(_ configuration: RunConfiguration) -> Arithmetic {
        guard let arithmetic = configuration.run.compute else { preconditionFailure("run.compute=auto is resolved before a run begins") }
        return arithmetic
    }

    /// An engine with a fresh editor for the model's edited modules.
    package static func engine(_ configuration: RunConfiguration, model: LanguageModel, work: ShardedWork) -> EditEngine {
        let editor = configuration.editor, method = configuration.method, shapes = model.edited.map { ModuleShape(keySize: $0.keySize, valueSize: $0.valueSize) }
        var options = EditorOptions(
            steps: editor.steps, rank: editor.rank, blocks: editor.blocks, innerLearningRate: Float(editor.innerLearningRate),
            hasNetworkPerStep: configuration.plan.hasNetworkPerStep, seed: UInt64(configuration.run.seed))
        options.arithmetic = arithmetic(configuration)
        options.use(method)
        return EditEngine(
            model: model, editor: Editor(options, shapes: shapes, ownership: Ownership(pieces: work.shards, owned: work.ownShards)), rule: method.rule, work: work)
    }

    package static func learning(_ configuration: RunConfiguration) -> LearningOptions {
        let editor = configuration.editor, plan = configuration.plan
        var options = LearningOptions(
            plan: plan, steps: editor.steps, regularization: plan.norm.map { Float(editor[$0]) } ?? 0,
            localityWeight: plan.locality.map { Float(editor[$0]) } ?? 0, maxGradientNorm: editor.maxGradientNorm, metaLearningRate: editor.metaLearningRate)
        options.clip = configuration.training.clip == .accumulated ? .accumulated : .update
        options.updateEvery = configuration.training.updateEvery
        if let window = plan.window { (options.backDepth, options.timeDecay) = (editor[window.depth], Float(editor[window.decay])) }
        return options
    }
}
