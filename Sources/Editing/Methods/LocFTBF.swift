extension EditingMethod {
    /// LocFT-BF (arXiv 2509.22072): fine-tuning of one module, breadth first, as well as that can be done: epochs, mini-batches, Adam, and an end where the edits are made.
    /// With ρ ‖W − W₀‖² it is fine-tuning with an L2 penalty.
    static let locftbf = EditingMethod(name: "locft-bf", loop: FineTuningKind(miniBatch: 100))
}
