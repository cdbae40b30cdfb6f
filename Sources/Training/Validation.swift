import Configuration
import Datasets
import Documents
import Editing

/// What an editor that is being trained does with records that it is not trained on.
package struct Validation: Sendable {
    /// By which checkpoints are compared, in percent: the larger, the better.
    package let score: Double
    /// What it comes from, for the log.
    package let details: JSONObject
    /// The same in a line for people.
    package let text: String

    package init(score: Double, details: JSONObject, text: String) {
        self.score = score
        self.details = details
        self.text = text
    }
}

/// Validates an editor. Collective, and the same on every rank.
package protocol Validator {
    /// The model is unedited, and is to be left so; the normalisers are put back as they were by the caller.
    func validate(_ engine: EditEngine, on records: [EditRecord]) throws -> Validation
}

/// Of a run's validations.
package struct ValidationHistory: Codable, Equatable, Sendable {
    /// The best so far.
    package struct Best: Codable, Equatable, Sendable {
        package let batches: Int
        package let updates: Int
        package let score: Double
    }

    /// Updates that there were at the last validation; nil: there has been none.
    var updates: Int?
    /// Before training.
    package private(set) var first: Double?
    package private(set) var best: Best?
    /// Validations since the best.
    var sinceBest = 0

    mutating func add(_ score: Double, batches: Int, updates: Int) {
        self.updates = updates
        guard updates > 0 else { return first = score }  // there is nothing to keep yet
        if let best, best.score >= score { return sinceBest += 1 }
        best = Best(batches: batches, updates: updates, score: score)
        sinceBest = 0
    }
}
