extension EditingMethod {
    /// MEMIT (arXiv 2210.07229): values found at the subject's last token, shared out among the down projections of some layers; what plain text's keys are like is held firmly
    /// (`background_weight`, published as 15,000).
    static let memit = EditingMethod(name: "memit", loop: ValueEditingKind(ridge: 1))
}
