import Editors
import Settings

extension EditingMethod {
    /// RLEdit (arXiv 2502.05759): a sequence of edits as a trajectory, whose loss counts earlier batches too; a network for each step, as EMSEdit has.
    static let rledit = EditingMethod(
        name: "rledit", hasHypernetwork: true, readout: MALMENReadout(), rule: RidgeRule(),
        plans: [
            .sequential: Plan(
                .sequence, locality: .localityWeight,
                window: Window(
                    decay: Setting("time_decay", .share, default: 0.95, "γ, what an edit of the batch before still counts"),
                    depth: Setting("back_depth", .count, default: 10, "how many batches back edits count; each costs as much as the batch itself")),
                hasNetworkPerStep: true)
        ])
}
