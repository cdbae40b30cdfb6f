import Editors
import Settings

/// A method of knowledge editing, as the parts that it is made of. A method is a file in `Methods`, which declares one of these and
/// holds the parts that no other method has, and its line in `all`.
package struct EditingMethod: Sendable {
    /// Whether a batch's edits stay on the model while the next is edited, or each batch is edited on the unedited model.
    package enum Mode: String, Sendable, CaseIterable { case sequential, batch }

    /// What a batch is trained with.
    package enum Schedule: Sendable {
        /// All steps of a batch are learned from together, and the model keeps its edits.
        case sequence
        /// Each step is learned from by itself, with an update; the model is as before afterwards.
        case step
        /// Nothing is learned: the model keeps its edits, and the normalisers have seen them.
        case none
    }

    /// That the loss counts earlier batches of the sequence too.
    package struct Window: Sendable {
        /// γ: what a batch counts of the one after it.
        package let decay: Setting<Double>
        /// How many batches count, with the one that is trained on.
        package let depth: Setting<Int>
    }

    /// What the method does in one of its modes. Terms of the loss, beside the cross entropy of the rephrasings, are there where their weight's
    /// setting is.
    package struct Plan: Sendable {
        package let schedule: Schedule
        /// ρ ‖W − W₀‖² of all that the model carries.
        package let norm: Setting<Double>?
        /// c · KL(before‖after) on unrelated prompts, of the (last) step that is learned from.
        package let locality: Setting<Double>?
        package let window: Window?
        /// Step i has a network of its own, of rank / (i + 1); otherwise all steps share one.
        package let hasNetworkPerStep: Bool

        package init(
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
    package let name: String
    /// Whether normalised rows go through a hypernetwork before they are read out.
    package let hasHypernetwork: Bool
    /// The default of η.
    package let innerLearningRate: Double
    package let readout: any Readout
    package let rule: any ShiftRule
    /// How edits are made where that is a loop of its own over them; the readout and the rule are then not asked.
    package let loop: (any EditLoopKind)?
    /// The modes that the method has.
    package let plans: [Mode: Plan]

    /// Every method that can be named.
    package static let all: [EditingMethod] = [.emsedit, .malmen, .mend, .rledit, .ultraedit, .locftbf, .crispedit, .memit, .alphaedit]

    /// Whether training changes anything but what the normalisers have seen.
    package var isTrained: Bool { hasHypernetwork }

    /// Whether contrast keys and a background count.
    package var preserves: Bool { loop.map(\.preserves) ?? rule.preserves }

    package init(
        name: String, hasHypernetwork: Bool, innerLearningRate: Double = 1e-3, readout: any Readout, rule: any ShiftRule, plans: [Mode: Plan]
    ) {
        self.name = name
        self.hasHypernetwork = hasHypernetwork
        self.innerLearningRate = innerLearningRate
        self.readout = readout
        self.rule = rule
        self.plans = plans
        loop = nil
    }

    /// A method whose edits are made by a loop of its own over them, and that needs no training before.
    package init(name: String, loop: any EditLoopKind) {
        self.name = name
        self.loop = loop
        hasHypernetwork = false
        innerLearningRate = 1
        (readout, rule) = (MALMENReadout(), RidgeRule())
        plans = [.sequential: Plan(.none), .batch: Plan(.none)]
    }

    package static func named(_ name: String) -> EditingMethod? { all.first { $0.name == name } }
}

extension EditorOptions {
    /// Takes over what a method says of an editor's networks.
    package mutating func use(_ method: EditingMethod) {
        readout = method.readout
        isTrained = method.isTrained
        if let loop = method.loop { positions = loop.positions }
        if !method.hasHypernetwork { blocks = 0 }
    }
}
