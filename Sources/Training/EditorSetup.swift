import Communication
import Configuration
import Editing
import Editors
import LinearAlgebra
import Transformer

/// Builds the parts of a run from its configuration.
public enum EditorSetup {
    /// Throws for what is not built yet.
    public static func check(_ configuration: RunConfiguration) throws {
        let editor = configuration.editor
        func problem(_ key: String, _ text: String) -> ConfigurationError {
            ConfigurationError(location: configuration.source, keyPath: key, problem: text)
        }
        guard let method = EditingMethod.named(editor.method.rawValue) else {
            let names = EditingMethod.all.map(\.name).joined(separator: ", ")
            throw problem("editor.method", "'\(editor.method.rawValue)' is not built yet; expected one of \(names)")
        }
        guard let plan = method.plans[mode(configuration)] else {
            throw problem("editor.mode", "\(method.name) has no mode '\(editor.mode.rawValue)'; expected \(method.plans.keys.map(\.rawValue).sorted().joined(separator: " or "))")
        }
        if case .step = plan.schedule, configuration.training.updateEvery != .sequence {
            throw problem("training.update_every", "in batch mode every step of every batch is an update; leave it out")
        }
    }

    /// `check` has passed.
    public static func method(_ configuration: RunConfiguration) -> EditingMethod {
        guard let method = EditingMethod.named(configuration.editor.method.rawValue) else {
            preconditionFailure("editor.method \(configuration.editor.method) was not checked")
        }
        return method
    }

    /// Of the method, in the configuration's mode. `check` has passed.
    public static func plan(_ configuration: RunConfiguration) -> EditingMethod.Plan {
        guard let plan = method(configuration).plans[mode(configuration)] else { preconditionFailure("editor.mode was not checked") }
        return plan
    }

    private static func mode(_ configuration: RunConfiguration) -> EditingMethod.Mode {
        switch configuration.editor.mode {
        case .sequential: .sequential
        case .batch: .batch
        }
    }

    public static func work(_ configuration: RunConfiguration, _ communicator: Communicator) -> Work {
        Work(communicator: communicator, shards: configuration.run.shards, reduction: configuration.run.reduction == .fast ? .fast : .ordered)
    }

    /// Of products with the weights of the model and of the hypernetworks.
    public static func arithmetic(_ configuration: RunConfiguration) -> Arithmetic {
        switch configuration.run.compute {
        case .f32: .float32
        case .bf16: .bfloat16
        case .bf16Tiles: .bfloat16Tiles
        case .auto: preconditionFailure("run.compute=auto is resolved before a run begins; see ComputeChoice")
        }
    }

    /// An engine with a fresh editor for the model's edited modules.
    public static func engine(_ configuration: RunConfiguration, model: LanguageModel, work: Work) -> EditEngine {
        let editor = configuration.editor, method = method(configuration), shapes = model.edited.map { ModuleShape(keySize: $0.keySize, valueSize: $0.valueSize) }
        var options = EditorOptions(
            steps: editor.steps, rank: editor.rank, blocks: editor.blocks, innerLearningRate: Float(editor.innerLearningRate),
            hasNetworkPerStep: plan(configuration).hasNetworkPerStep, seed: configuration.run.seed, arithmetic: arithmetic(configuration))
        options.use(method)
        return EditEngine(
            model: model, editor: Editor(options, shapes: shapes, ownership: Ownership(pieces: work.shards, owned: work.ownShards)), rule: method.rule, work: work)
    }

    public static func learning(_ configuration: RunConfiguration) -> LearningOptions {
        let editor = configuration.editor
        var options = LearningOptions(
            plan: plan(configuration), steps: editor.steps, regularization: Float(editor.regularization), localityWeight: Float(editor.localityWeight),
            maxGradientNorm: editor.maxGradientNorm, metaLearningRate: editor.metaLearningRate)
        options.clip = configuration.training.clip == .accumulated ? .accumulated : .update
        (options.backDepth, options.timeDecay) = (editor.backDepth, Float(editor.timeDecay))
        if case .batches(let count) = configuration.training.updateEvery { options.updateEvery = count }
        return options
    }
}
