/// The keys of each section, in the order in which the quickstart configuration gives them.
enum Schema {
    static let sections = ["model", "editor", "data", "training", "evaluation", "checkpoint", "run"]
    static let model = ["path", "weights"]
    static let editor = [
        "method", "mode", "steps", "modules", "rank", "blocks", "inner_learning_rate", "meta_learning_rate",
        "regularization", "max_gradient_norm", "locality_weight", "time_decay", "back_depth",
    ]
    static let data = ["train", "evaluation", "edits_per_batch", "batches", "micro_batch"]
    static let split = ["path", "format"]
    static let training = ["passes", "update_every", "clip"]
    static let evaluation = ["batches", "edits_per_batch", "normalizer"]
    static let checkpoint = ["directory", "every", "keep", "keep_every"]
    static let run = ["seed", "shards", "reduction", "compute", "threads"]

    private static let keysBySection = [
        ("model", model), ("editor", editor), ("data", data), ("training", training), ("evaluation", evaluation),
        ("checkpoint", checkpoint), ("run", run),
    ]

    /// The full path of `key` where it stands in some section: for keys written under the wrong one.
    static func keyPath(endingIn key: String) -> String? {
        keysBySection.first { $0.1.contains(key) }.map { "\($0.0).\(key)" }
    }
}
