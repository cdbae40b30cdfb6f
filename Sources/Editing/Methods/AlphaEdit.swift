extension EditingMethod {
    /// AlphaEdit (arXiv 2410.02355): MEMIT's values, and shifts that leave alone altogether what plain text's keys are like (`background_share`) and, as far as `earlier_weight` says, the keys
    /// of a sequence's earlier edits.
    static let alphaedit = EditingMethod(name: "alphaedit", loop: ValueEditingKind(ridge: 10))
}
