import Editors

extension EditingMethod {
    /// RLEdit (arXiv 2502.05759): a sequence of edits as a trajectory, whose loss counts earlier batches too; a network for each step, as EMSEdit has.
    static let rledit = EditingMethod(
        name: "rledit", hasHypernetwork: true, readout: MALMENReadout(), rule: RidgeRule(),
        plans: [.sequential: Plan(.sequence, .locality, hasNetworkPerStep: true, looksBack: true)])
}
