import Editors

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

    /// What is added up to the loss, beside the cross entropy of the rephrasings.
    public struct Terms: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// ρ ‖W − W₀‖² of all that the model carries.
        public static let norm = Terms(rawValue: 1)
        /// c · KL(before‖after) on unrelated prompts, of the (last) step that is learned from.
        public static let locality = Terms(rawValue: 2)
    }

    /// What the method does in one of its modes.
    public struct Plan: Sendable {
        public let schedule: Schedule
        public let terms: Terms
        /// Step i has a network of its own, of rank / (i + 1); otherwise all steps share one.
        public let hasNetworkPerStep: Bool
        /// Whether the loss counts earlier batches of the sequence too, each the less the longer ago it was.
        public let looksBack: Bool

        public init(_ schedule: Schedule, _ terms: Terms = [], hasNetworkPerStep: Bool = false, looksBack: Bool = false) {
            self.schedule = schedule
            self.terms = terms
            self.hasNetworkPerStep = hasNetworkPerStep
            self.looksBack = looksBack
        }
    }

    /// As configurations name it.
    public let name: String
    /// Whether normalised rows go through a hypernetwork before they are read out.
    public let hasHypernetwork: Bool
    public let readout: any Readout
    public let rule: any ShiftRule
    /// The modes that the method has.
    public let plans: [Mode: Plan]

    /// Every method that can be named.
    public static let all: [EditingMethod] = [.emsedit, .malmen, .mend, .rledit, .ultraedit]

    /// Whether training changes anything but what the normalisers have seen.
    public var isTrained: Bool { hasHypernetwork }

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
