import Editors
import Settings

/// A method of knowledge editing, as the parts that it is made of. A method is a file in `Methods`, which declares one of these and
/// holds the parts that no other method has, and its line in `all`.
public struct EditingMethod: Sendable {
    /// Whether a batch's edits stay on the model while the next is edited, or each batch is edited on the unedited model.
    public enum Mode: String, Sendable, CaseIterable { case sequential, batch }

    /// What a batch is trained with.
    public enum Schedule: Sendable {
        /// All steps of a batch are learned from together, and the model keeps its edits.
        case sequence
        /// Each step is learned from by itself, with an update; the model is as before afterwards.
        case step
        /// Nothing is learned: the model keeps its edits, and the normalisers have seen them.
        case none
    }

    /// That the loss counts earlier batches of the sequence too.
    public struct Window: Sendable {
        /// γ: what a batch counts of the one after it.
        public let decay: Setting<Double>
        /// How many batches count, with the one that is trained on.
        public let depth: Setting<Int>
    }

    /// What the method does in one of its modes. Terms of the loss, beside the cross entropy of the rephrasings, are there where their weight's
    /// setting is.
    public struct Plan: Sendable {
        public let schedule: Schedule
        /// ρ ‖W − W₀‖² of all that the model carries.
        public let norm: Setting<Double>?
        /// c · KL(before‖after) on unrelated prompts, of the (last) step that is learned from.
        public let locality: Setting<Double>?
        public let window: Window?
        /// Step i has a network of its own, of rank / (i + 1); otherwise all steps share one.
        public let hasNetworkPerStep: Bool

        public init(
            _ schedule: Schedule, norm: Setting<Double>? = nil, locality: Setting<Double>? = nil, window: Window? = nil,
            hasNetworkPerStep: Bool = false
        ) {
            self.schedule = schedule
            self.norm = norm
            self.locality = locality
            self.window = window
            self.hasNetworkPerStep = hasNetworkPerStep
        }

        var settings: [any AnySetting] {
            let weights: [any AnySetting] = [norm, locality].compactMap(\.self)
            return weights + (window.map { [$0.decay, $0.depth] } ?? [])
        }
    }

    /// As configurations name it.
    public let name: String
    /// Whether normalised rows go through a hypernetwork before they are read out.
    public let hasHypernetwork: Bool
    /// The default of η.
    public let innerLearningRate: Double
    public let readout: any Readout
    public let rule: any ShiftRule
    /// The modes that the method has.
    public let plans: [Mode: Plan]

    /// Every method that can be named.
    public static let all: [EditingMethod] = [.emsedit, .malmen, .mend, .rledit, .ultraedit]

    /// Whether training changes anything but what the normalisers have seen.
    public var isTrained: Bool { hasHypernetwork }

    public init(
        name: String, hasHypernetwork: Bool, innerLearningRate: Double = 1e-3, readout: any Readout, rule: any ShiftRule, plans: [Mode: Plan]
    ) {
        self.name = name
        self.hasHypernetwork = hasHypernetwork
        self.innerLearningRate = innerLearningRate
        self.readout = readout
        self.rule = rule
        self.plans = plans
    }

    public static func named(_ name: String) -> EditingMethod? { all.first { $0.name == name } }
}

extension EditorOptions {
    /// Takes over what a method says of an editor's networks.
    public mutating func use(_ method: EditingMethod) {
        readout = method.readout
        isTrained = method.isTrained
        if !method.hasHypernetwork { blocks = 0 }
    }
}
