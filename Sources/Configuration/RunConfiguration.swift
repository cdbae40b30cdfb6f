/// Everything that a run is told: immutable, complete (defaults filled in) and validated. The keys, their meaning and
/// their defaults are those of `Configs/quickstart.yaml`; each property is named after its key.
///
/// There is no public initialiser from parts: a value of this type has passed every check.
public struct RunConfiguration: Sendable {
    public let model: Model
    public let editor: Editor
    public let data: Data
    public let training: Training
    public let evaluation: Evaluation
    public let checkpoint: Checkpoint
    public let run: Run
    /// The file that the configuration came from, as it was named; for messages. Not part of equality.
    public let source: String

    public struct Model: Sendable, Equatable {
        /// A .gguf file, a directory with one, or one with config.json, safetensors and tokenizer.json.
        public let path: String
        public let weights: Weights
    }

    public struct Editor: Sendable, Equatable {
        public let method: Method
        public let mode: Mode
        /// Backpropagations per edit batch, at least 1.
        public let steps: Int
        /// Edited modules, in the order of the configuration; `11-15` stands for a range of layers. Never empty, none
        /// twice as written (two patterns may still name the same module).
        public let modules: [String]
        /// Rank of the hypernetwork, at least 1; at least `steps` where step i has its own network of rank / (i + 1).
        public let rank: Int
        /// Residual blocks of the hypernetwork, at least 1.
        public let blocks: Int
        /// Initial η, positive, a normal number in single precision.
        public let innerLearningRate: Double
        /// Adam's learning rate, positive, a normal number in single precision.
        public let metaLearningRate: Double
        /// ρ, the weight of ‖W − W₀‖², at least 0. Default: 0.25 in sequential mode, 0.5 in batch mode.
        public let regularization: Double
        /// Gradients are scaled down to this norm, positive.
        public let maxGradientNorm: Double
        /// c, the weight of the KL term of MALMEN, MEND and RLEdit, at least 0.
        public let localityWeight: Double
        /// γ of RLEdit, from 0 to 1.
        public let timeDecay: Double
        /// How many batches back RLEdit's loss reaches, at least 1.
        public let backDepth: Int

        /// Whether step i has its own hypernetwork, of rank / (i + 1), instead of one for all steps.
        public var hasNetworkPerStep: Bool { Self.hasNetworkPerStep(method, mode) }

        static func hasNetworkPerStep(_ method: Method, _ mode: Mode) -> Bool {
            method == .rledit || (method == .emsedit && mode == .sequential)
        }
    }

    /// A file of edits.
    public struct Split: Sendable, Equatable {
        public let path: String
        public let format: DataFormat
    }

    public struct Data: Sendable, Equatable {
        public let train: Split?
        public let evaluation: Split?
        /// n, at least 1.
        public let editsPerBatch: Int
        /// T, the length of a sequence in batches, at least 1.
        public let batches: Int
        /// Sequences per micro-batch, the unit over which the loss is a mean; at least 1.
        public let microBatch: Int
    }

    public struct Training: Sendable, Equatable {
        /// Sequences to train on, at least 1; the model starts each one unedited.
        public let passes: Int
        public let updateEvery: UpdateInterval
        public let clip: ClipMode
    }

    public struct Evaluation: Sendable, Equatable {
        /// At least 1. Default: `data.batches`.
        public let batches: Int
        /// At least 1. Default: `data.edits_per_batch`.
        public let editsPerBatch: Int
        public let normalizer: NormalizerMode
    }

    public struct Checkpoint: Sendable, Equatable {
        /// Default: `runs/` and the name of the configuration file without its extension.
        public let directory: String
        /// Batches between checkpoints, at least 1.
        public let every: Int
        /// How many of the newest checkpoints are kept, at least 1.
        public let keep: Int
        /// Every such checkpoint is kept for good; 0 for none.
        public let keepEvery: Int
    }

    public struct Run: Sendable, Equatable {
        /// From 0 to 2⁶³ − 1.
        public let seed: UInt64
        /// V, the virtual shards of a batch: from 1 to 4096, and the largest number of ranks.
        public let shards: Int
        public let reduction: Reduction
        public let compute: Compute
        public let threads: Threads
    }

    public enum Method: String, Sendable, CaseIterable { case emsedit, malmen, mend, rledit, ultraedit }
    public enum Mode: String, Sendable, CaseIterable { case sequential, batch }
    /// The forms of data that can be read; see the README.
    public enum DataFormat: String, Sendable, CaseIterable { case counterfact, zsre }
    /// How the frozen weights are held: as the file has them, decoded to float32, or rounded to bfloat16.
    public enum Weights: String, Sendable, CaseIterable { case auto, f32, bf16 }
    /// Whether gradients are clipped each time they accumulate, or once, before the optimizer's step.
    public enum ClipMode: String, Sendable, CaseIterable { case accumulated, update }
    /// Whether the normalizer goes on learning while editing.
    public enum NormalizerMode: String, Sendable, CaseIterable { case online, frozen }
    /// Whether sums over shards are the same bits on any number of ranks, or as fast as MPI makes them.
    public enum Reduction: String, Sendable, CaseIterable { case ordered, fast }

    /// The arithmetic of products with the weights of the model and of the hypernetworks; all else is float32.
    /// `auto` stands for the fastest of the others on the machines where a run begins; see `computing(in:)`.
    public enum Compute: String, Sendable, CaseIterable {
        case f32, bf16
        case bf16Tiles = "bf16-tiles"
        case auto
    }

    /// How often the optimizer steps.
    public enum UpdateInterval: Sendable, Equatable {
        /// Once, after the last batch of a sequence.
        case sequence
        /// Every so many batches, at least 1.
        case batches(Int)
    }

    public enum Threads: Sendable, Equatable {
        /// The node's usable cores divided by the ranks on it.
        case auto
        /// Per rank, from 1 to 4096.
        case count(Int)
    }
}

extension RunConfiguration: Equatable {
    public static func == (a: RunConfiguration, b: RunConfiguration) -> Bool {
        a.model == b.model && a.editor == b.editor && a.data == b.data && a.training == b.training
            && a.evaluation == b.evaluation && a.checkpoint == b.checkpoint && a.run == b.run
    }
}

extension RunConfiguration {
    /// The training data. Throws where the configuration has none; `command` is named as what needs it.
    public func trainingSplit(neededBy command: String) throws -> Split {
        guard let split = data.train else {
            throw ConfigurationError.missing("data.train.path", neededBy: command, in: source)
        }
        return split
    }

    /// The evaluation data. Throws where the configuration has none; `command` is named as what needs it.
    public func evaluationSplit(neededBy command: String) throws -> Split {
        guard let split = data.evaluation else {
            throw ConfigurationError.missing("data.evaluation.path", neededBy: command, in: source)
        }
        return split
    }
}
