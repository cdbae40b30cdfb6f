import LinearAlgebra
import TensorCore
import Tokenization
import Transformer

/// How an editor is built: what the configuration says of its networks.
package struct EditorOptions: Sendable {
    package var steps: Int
    package var rank: Int
    package var blocks: Int
    package var innerLearningRate: Float
    /// Step i has a network of its own, of rank / (i + 1); otherwise all steps share one.
    package var hasNetworkPerStep: Bool
    package var seed: UInt64
    package var arithmetic = Arithmetic.float32
    package var readout: any Readout = MALMENReadout()
    package var normalizer = Normalizer.perStep
    /// A method without a hypernetwork has no blocks, and nothing that is trained.
    package var isTrained = true

    /// Whether training steps log η rather than η.
    package var learnsLogarithmOfRates = false
    package var positions = Positions.answer
    package var initialization = Initialization.published

    /// What A is before training, of a block that adds GELU(zA)B to z; B is zero.
    package enum Initialization: String, Sendable, CaseIterable {
        /// N(0, 1): zA has deviation √d, and a step of Adam moves z by whole units or, at the published rate, hardly.
        case published
        /// N(0, 1/d), d the width of z: rates mean the same at every width.
        case scaled
    }

    /// At which tokens of an edit's prompt and answer rows are captured.
    package enum Positions: String, Sendable, CaseIterable {
        /// Where a token of the answer is predicted, as published.
        case answer
        /// At the last token of the prompt's subject, where a model gathers what it knows of it.
        case subjectLast = "subject-last"
        /// At every token of the subject.
        case subject
        /// At every token of the prompt.
        case prompt
        /// At every token.
        case all

        package var needsSubject: Bool { self == .subject || self == .subjectLast }

        /// Among the tokens of `sequence` that are read. Where no subject is known those of the answer stand for it.
        package func rows(of sequence: TokenSequence) -> Range<Int> {
            let answer = sequence.fedCount - sequence.answer.count..<sequence.fedCount
            return switch self {
            case .answer: answer
            case .subjectLast: sequence.subject.map { $0.upperBound - 1..<$0.upperBound } ?? answer
            case .subject: sequence.subject ?? answer
            case .prompt: 0..<sequence.prompt.count
            case .all: 0..<sequence.fedCount
            }
        }
    }

    /// Whose moments rows are standardised by.
    package enum Normalizer: String, Sendable, CaseIterable {
        /// Those of the step's own network, as published. Where an edit is already said its later gradients are small; divided by their own deviation they push as
        /// hard as the first.
        case perStep = "per-step"
        /// The first step's for all steps, so that what is already said no longer pushes.
        case firstStep = "first-step"
    }

    package init(steps: Int, rank: Int, blocks: Int, innerLearningRate: Float, hasNetworkPerStep: Bool, seed: UInt64) {
        self.steps = steps
        self.rank = rank
        self.blocks = blocks
        self.innerLearningRate = innerLearningRate
        self.hasNetworkPerStep = hasNetworkPerStep
        self.seed = seed
    }
}

/// The hypernetworks of a set of edited modules: one for each step (or one for all) and module shape.
package final class Editor {
    /// The modules of one shape, in configuration order.
    package struct Group: Sendable {
        package let shape: ModuleShape
        package let modules: [Int]  // indices among the edited modules
    }

    package let options: EditorOptions
    package let groups: [Group]
    private let networks: [[HyperNetwork]]  // [steps, or 1][groups]

    /// `shapes` are those of the edited modules, in configuration order.
    package init(_ options: EditorOptions, shapes: [ModuleShape], ownership: Ownership) {
        self.options = options
        var order: [ModuleShape] = []
        for shape in shapes where !order.contains(shape) { order.append(shape) }
        let groups = order.map { shape in Group(shape: shape, modules: shapes.indices.filter { shapes[$0] == shape }) }
        self.groups = groups
        var lane: UInt32 = 0
        networks = (0..<(options.hasNetworkPerStep ? options.steps : 1)).map { step in
            groups.map { group in
                defer { lane += UInt32(options.blocks) }
                var own = options
                own.rank = options.rank / (step + 1)
                return HyperNetwork(
                    name: "step\(step).\(group.shape)", shape: group.shape, modules: group.modules.count, options: own, lane: lane, ownership: ownership)
            }
        }
    }

    /// The networks of step `step`, one for each group.
    package func networks(step: Int) -> [HyperNetwork] { networks[options.hasNetworkPerStep ? step : 0] }

    /// Of step `step`: the moments that standardise each group's rows, and whether they learn from them.
    package func moments(step: Int) -> (moments: [RunningMoments], learn: Bool) {
        switch options.normalizer {
        case .perStep: (networks(step: step).map(\.moments), true)
        case .firstStep: (networks(step: 0).map(\.moments), step == 0)
        }
    }

    /// Every network once, in canonical order.
    package var allNetworks: [HyperNetwork] { networks.flatMap { $0 } }

    /// Every parameter once, in canonical order: the order of norms, files and digests.
    package var parameters: [Parameter] { allNetworks.flatMap(\.parameters) }

    package func clearGradients() {
        for parameter in parameters { parameter.gradient.fill(0) }
    }
}
