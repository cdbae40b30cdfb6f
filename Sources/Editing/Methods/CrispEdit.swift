extension EditingMethod {
    /// CrispEdit (arXiv 2602.15823): fine-tuning whose gradients are projected out of the directions along which the loss on plain text bends most.
    static let crispedit = EditingMethod(name: "crispedit", loop: FineTuningKind(miniBatch: 32, curvatureShare: 0.99))
}
