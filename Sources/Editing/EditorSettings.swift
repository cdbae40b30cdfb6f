import Editors
import Settings

/// The settings of an editor: those that every method has, those of a hypernetwork where the method has one, and those that its plan names.
package struct EditorSettings: SettingGroup {
    package let method: Setting<EditingMethod>
    package let mode: Setting<EditingMethod.Mode>
    package let steps = Setting("steps", .wholeNumber(1...1024), default: 2, identity: .editor, "backpropagations per edit batch")
    package let modules = Setting(
        required: "modules", .texts("module name", such: #"["model.layers.11-15.mlp.gate_proj"]"#), identity: .editor,
        "the linear layers to edit; `11-15` stands for a range of layers")
    package let rank = Setting(
        "rank", .wholeNumber(1...1_048_576), default: 1024, identity: .editor,
        "of the hypernetwork: larger learns more, costs more memory and time; where step i has a network of its own, that has rank / (i + 1)")
    package let blocks = Setting("blocks", .wholeNumber(1...1024), default: 4, identity: .editor, "of the hypernetwork, one after another")
    package let innerLearningRate: Setting<Double>
    package let initialization = Setting(
        "initialization", .choice as SettingKind<EditorOptions.Initialization>, default: .published, identity: .editorUnlessDefault,
        "of the hypernetwork's matrices: with deviation 1, or 1/√d for a width of d, with which rates of 1e-4 and more can be learned at")
    package let positions = Setting(
        "positions", .choice as SettingKind<EditorOptions.Positions>, default: .answer, identity: .runUnlessDefault,
        "the tokens of an edit's prompt and answer whose keys and gradients edit the model: where the answer is predicted, as published; the subject's, or its "
            + "last; the prompt's; or all")
    package let prefixes = Setting(
        "prefixes", .wholeNumber(0...32), default: 0, identity: .runUnlessDefault,
        "how many sentences of plain text each edit is also made behind, so that it holds wherever it is asked; each costs what the edit does")
    package let rephrasings = Setting(
        "rephrasings", .wholeNumber(0...32), default: 0, identity: .runUnlessDefault,
        "how many of a record's prompts in other words, where it has them, are edited as its own prompt is; they are no longer scored, nor trained for, as words that "
            + "the edit was not made in; each costs what the edit does")
    /// What follows an edit's answer.
    package enum AnswerEnd: String, Sendable, CaseIterable {
        case open
        case endOfText = "end-of-text"
    }

    package let answerEnd: Setting<AnswerEnd>
    package let lossBound = Setting(
        "loss_bound", .notNegative, default: 0, identity: .runUnlessDefault,
        "edits whose loss is below it take no further step, and steps end where all are; 0: every edit takes every step, as published")
    package let halvings = Setting(
        "halvings", .wholeNumber(0...16), default: 0, identity: .runUnlessDefault,
        "how often a step is halved for edits whose loss it raises, which do without it at last; 0: steps stay as they are, as published")
    package let stepBound = Setting(
        "step_bound", .notNegative, default: 0, identity: .runUnlessDefault,
        "κ, the share of an edit's loss that one step may take away as far as its gradients foretell; larger steps are scaled down, whatever η; 0: no bound, as "
            + "published")
    package let normalizer = Setting(
        "normalizer", .choice as SettingKind<EditorOptions.Normalizer>, default: .perStep, identity: .runUnlessDefault,
        "rows are standardised by each step's own moments, as published, or by the first step's: then what is already said no longer pushes")
    package let contrastWeight = Setting(
        "contrast_weight", .notNegative, default: 0, identity: .runUnlessDefault,
        "ν, how firmly the edit's prompt with other subjects in it is held where it is; 0: not at all, as published")
    package let contrastSubjects = Setting(
        "contrast_subjects", .wholeNumber(1...256), default: 10, identity: .runUnlessDefault,
        "how many other subjects, where contrast_weight is not 0; each costs a forward pass of the edit's prompt")
    package let contrastPositions = Setting(
        "contrast_positions", .choice as SettingKind<EditorOptions.Positions>, default: .answer, identity: .runUnlessDefault,
        "the tokens at which these are held, where contrast_weight is not 0")
    package let backgroundWeight = Setting(
        "background_weight", .notNegative, default: 0, identity: .runUnlessDefault,
        "μ, how firmly what the model does with plain text is held where it is; 0: not at all, as published")
    package let backgroundShare = Setting(
        "background_share", .properShare, default: 0, identity: .runUnlessDefault,
        "the largest directions that hold this share of what plain text's keys are like are not touched at all, as AlphaEdit's projection has it; 0: there are none. Costs the eigenvectors of a [k, k] "
            + "matrix for each module whenever an editor is opened")
    package let earlierWeight = Setting(
        "earlier_weight", .notNegative, default: 0, identity: .runUnlessDefault,
        "how firmly the prompts of a sequence's earlier edits are held where these have put them; 0: not at all, as published")
    package let metaLearningRate = Setting("meta_learning_rate", .positive, default: 1e-5, "Adam's: how fast the hypernetwork learns")
    package let scalarLearningRate = Setting(
        "scalar_learning_rate", .notNegative, default: 0, identity: .runUnlessDefault,
        "Adam's of log η and log λ, whose gradients are then clipped apart from the networks'; 0: η and log λ have meta_learning_rate, as published")
    package let maxGradientNorm = Setting("max_gradient_norm", .positive, default: 1, "longer gradients are scaled down to this")
    private let plan: EditingMethod.Plan

    /// Of a method, in a mode that it has.
    package init(_ method: EditingMethod, _ mode: EditingMethod.Mode) {
        guard let plan = method.plans[mode] else { preconditionFailure("\(method.name) has no mode \(mode)") }
        self.method = Self.method
        self.mode = Self.mode(of: method)
        self.plan = plan
        hasHypernetwork = method.hasHypernetwork
        preserves = method.preserves
        loop = method.loop
        answerEnd = Setting(
            "answer_end", .choice as SettingKind<AnswerEnd>, default: method.loop?.answerEnd ?? .open, identity: .runUnlessDefault,
            "after an edit's answer the text goes on, or the model is taught that it ends there, where it has a token for that; the default is what is published")
        innerLearningRate = Setting(
            "inner_learning_rate", .positive, default: method.innerLearningRate, identity: .editor,
            "η, how far one edit moves the model at first; hypernetworks learn it from there")
    }

    private let hasHypernetwork: Bool
    private let preserves: Bool
    private let loop: (any EditLoopKind)?

    package static let method = Setting(
        "method", .one(of: EditingMethod.all) { $0.name }, default: .emsedit, identity: .editor, "each has a recipe in Configs")

    package static func mode(of method: EditingMethod) -> Setting<EditingMethod.Mode> {
        let modes = EditingMethod.Mode.allCases.filter { method.plans[$0] != nil }
        return Setting(
            "mode", .one(of: modes, whole: method.name) { $0.rawValue }, default: modes[0], identity: .editor,
            "sequential: the model keeps its edits from batch to batch; batch: it is restored after each")
    }

    package var settings: [any AnySetting] {
        let ofNetwork: [any AnySetting] = hasHypernetwork ? [rank, blocks, initialization, metaLearningRate, scalarLearningRate, maxGradientNorm] : []
        let preserving: [any AnySetting] = preserves ? [contrastWeight, contrastSubjects, contrastPositions, backgroundWeight, backgroundShare, earlierWeight] : []
        if let loop { return [method, mode, modules, prefixes, rephrasings, answerEnd] + loop.settings + preserving }
        return [method, mode, steps, modules, innerLearningRate, positions, prefixes, rephrasings, answerEnd, lossBound, halvings, stepBound, normalizer] + preserving
            + ofNetwork
            + plan.settings
    }

    /// The names of the methods that have a setting of this name in some mode.
    package static func owners(of name: String) -> [String] {
        EditingMethod.all.map(\.name).filter { method in all.contains { $0.method.name == method && $0.settings.settings.contains { $0.name == name } } }
    }

    /// Of all methods in all their modes.
    package static var all: [(method: EditingMethod, mode: EditingMethod.Mode, settings: EditorSettings)] {
        EditingMethod.all.flatMap { method in
            EditingMethod.Mode.allCases.filter { method.plans[$0] != nil }.map { (method, $0, EditorSettings(method, $0)) }
        }
    }
}

extension Setting<Double> {
    /// ρ
    static func regularization(_ fallback: Double) -> Setting {
        Setting("regularization", .notNegative, default: fallback, "ρ, how much moving the weights away from the original costs")
    }

    /// c
    static let localityWeight = Setting("locality_weight", .notNegative, default: 0.6, "c, how much a change to unrelated prompts costs")
}
