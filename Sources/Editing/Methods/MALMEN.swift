import Editors

extension EditingMethod {
    /// MALMEN (arXiv 2311.04661): each batch, and each of its steps, by itself, with one network for all steps and a divergence on unrelated prompts.
    static let malmen = EditingMethod(
        name: "malmen", hasHypernetwork: true, readout: MALMENReadout(), rule: RidgeRule(), plans: [.batch: Plan(.step, locality: .localityWeight)])
}
