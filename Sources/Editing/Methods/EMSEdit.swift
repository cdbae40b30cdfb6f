import Editors
import Settings

extension EditingMethod {
    /// EMSEdit (arXiv 2508.04012): multi-step backpropagation; in sequences a network for each step. MALMEN's network and solve; the norm of what
    /// the model carries instead of a divergence.
    static let emsedit = EditingMethod(
        name: "emsedit", hasHypernetwork: true, readout: MALMENReadout(), rule: RidgeRule(),
        plans: [
            .sequential: Plan(
                .sequence, norm: .regularization(0.25),
                window: Window(
                    decay: Setting(
                        "window_decay", .share, default: 1, identity: .runUnlessDefault, "γ, what an edit of the batch before still counts, where window is not 1"),
                    depth: Setting(
                        "window", .count, default: 1, identity: .runUnlessDefault,
                        "how many batches back edits count, as RLEdit has it; each costs as much as the batch itself; 1: the batch alone, as EMSEdit's paper has it")),
                hasNetworkPerStep: true),
            .batch: Plan(.step, norm: .regularization(0.5)),
        ])
}
