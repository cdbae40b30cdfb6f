import Editors

extension EditingMethod {
    /// EMSEdit (arXiv 2508.04012): multi-step backpropagation; in sequences a network for each step. MALMEN's network and solve; the norm of what
    /// the model carries instead of a divergence.
    static let emsedit = EditingMethod(
        name: "emsedit", hasHypernetwork: true, readout: MALMENReadout(), rule: RidgeRule(),
        plans: [
            .sequential: Plan(.sequence, norm: .regularization(0.25), hasNetworkPerStep: true), .batch: Plan(.step, norm: .regularization(0.5)),
        ])
}
