import Communication
import Configuration
import Editors
import LinearAlgebra
import Transformer

/// Builds the parts of a run from its configuration.
public enum EditorSetup {
    /// Throws for what is not built yet.
    public static func check(_ configuration: RunConfiguration) throws {
        guard configuration.editor.method == .emsedit else {
            throw ConfigurationError(location: configuration.source, keyPath: "editor.method",
                                     problem: "'\(configuration.editor.method.rawValue)' is not built yet; expected emsedit")
        }
        if configuration.editor.mode == .batch, configuration.training.updateEvery != .sequence {
            throw ConfigurationError(location: configuration.source, keyPath: "training.update_every",
                                     problem: "in batch mode every step of every batch is an update; leave it out")
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

    public static func editor(_ configuration: RunConfiguration, model: LanguageModel, work: Work) -> Editor {
        let editor = configuration.editor
        return Editor(
            EditorOptions(steps: editor.steps, rank: editor.rank, blocks: editor.blocks, innerLearningRate: Float(editor.innerLearningRate),
                          hasNetworkPerStep: editor.hasNetworkPerStep, seed: configuration.run.seed, arithmetic: arithmetic(configuration)),
            shapes: model.edited.map { ModuleShape(keySize: $0.keySize, valueSize: $0.valueSize) },
            ownership: Ownership(pieces: work.shards, owned: work.ownShards))
    }

    public static func learning(_ configuration: RunConfiguration) -> LearningOptions {
        let editor = configuration.editor
        var options = LearningOptions(
            mode: editor.mode == .sequential ? .sequential : .batch, steps: editor.steps, regularization: Float(editor.regularization),
            maxGradientNorm: editor.maxGradientNorm, metaLearningRate: editor.metaLearningRate)
        options.clip = configuration.training.clip == .accumulated ? .accumulated : .update
        if case .batches(let count) = configuration.training.updateEvery { options.updateEvery = count }
        return options
    }
}
