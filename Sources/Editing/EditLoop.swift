import Datasets
import Editors
import Settings
import Tokenization

/// A kind of method whose edits are no rows that a network reads out, but the outcome of a loop of its own over them: what it can be told, and what it takes.
package protocol EditLoopKind: Sendable {
    /// Beside those that every method has.
    var settings: [any AnySetting] { get }
    /// The tokens at which it captures keys and gradients.
    var positions: EditorOptions.Positions { get }
    /// Whether contrast keys and a background count.
    var preserves: Bool { get }
    /// The default of what follows an edit's answer.
    var answerEnd: EditorSettings.AnswerEnd { get }
    /// Whether it is wanted what edits' subjects are said to be.
    var needsEssences: Bool { get }
    /// What may be tried to suit it to a model, in this order: settings, and factors of their values or values.
    var tuning: [LoopTuning] { get }

    /// For the edited modules of the engine's model, which is unedited. Collective.
    func loop(_ editor: Section<EditorSettings>, for engine: EditEngine, context: LoopContext) throws -> any EditLoop
}

/// What a loop may need beside its settings.
package struct LoopContext {
    /// `run.seed`
    package let seed: UInt64
    /// The configuration, for messages.
    package let source: String
    /// Plain text that edits should leave as it is, in micro-batches.
    package let plainText: () -> [[TokenSequence]]

    package init(seed: UInt64, source: String, plainText: @escaping () -> [[TokenSequence]]) {
        self.seed = seed
        self.source = source
        self.plainText = plainText
    }
}

/// What tuning may try of one setting of a loop.
package enum LoopTuning: Sendable {
    case factors(Setting<Double>, [Double])
    case choices(any AnySetting, [String])
}

/// A loop over a batch's edits that makes them.
package protocol EditLoop: Sendable {
    /// Makes the edits on the engine's model, beside those that it carries. Collective; the same bits on any number of ranks.
    func make(_ batch: EditBatch, with engine: EditEngine, place: String) throws
}
