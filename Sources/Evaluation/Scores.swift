import Datasets
import Documents

/// How answers are judged.
public enum ScoringProtocol: String, Sendable {
    /// ROME's and MEMIT's (arXiv 2202.05262, 2210.07229): a probe succeeds if the mean log probability of the right answer's tokens
    /// exceeds the wrong one's. Right is the new answer for the edit and its rephrasings, the neighbour's own answer for neighbours.
    case rome
    /// The share of an answer's tokens that are the model's most likely next token, the answer's earlier tokens given: the usual
    /// score of zsRE, whose records have no pair of comparable answers.
    case tokenAccuracy = "token-accuracy"
}

/// What one probe gave.
struct Outcome {
    /// Of two answers, whether the right one is likelier; nil where there are no two to compare.
    let success: Bool?
    /// The share of the answer's tokens that are the likeliest.
    let accuracy: Double
    /// Whether what the model would say first is what it said before the edits; nil where that is not known.
    var isUnchanged: Bool?
}

extension Probe.Kind {
    /// The standard ones, whether or not there are any, then others by their names, each once.
    static func ordered(_ kinds: some Sequence<Probe.Kind>) -> [Probe.Kind] { standard + Set(kinds).subtracting(standard).sorted { $0.name < $1.name } }
}

/// A score for each kind of probe, in percent.
public struct Scores: Sendable, Equatable {
    private let values: [Probe.Kind: Double]

    init(_ values: [Probe.Kind: Double]) { self.values = values }

    /// NaN where no record has such a probe.
    public subscript(_ kind: Probe.Kind) -> Double { values[kind] ?? .nan }

    /// The standard ones, whether or not there are any, then others by their names.
    public var kinds: [Probe.Kind] {
        Probe.Kind.ordered(values.keys)
    }

    /// By the kinds' names.
    package var json: JSONValue { .object(JSONObject(kinds.map { ($0.name, .number(self[$0])) })) }

    /// Of the edits' own prompts (ES).
    public var efficacy: Double { self[.efficacy] }
    /// Of the same in other words (GS).
    public var generalization: Double { self[.generalization] }
    /// Of what the edits are not about (LS).
    public var specificity: Double { self[.specificity] }
}

/// Scores by the protocol, and by token accuracy whatever the protocol.
public struct ScoreReport: Sendable, Equatable {
    /// How `scores` were judged: by comparison where any two answers were compared.
    public let scoring: ScoringProtocol
    /// By the protocol.
    public let scores: Scores
    /// By the share of tokens.
    public let tokenAccuracy: Scores
    /// The share of probes whose right answer the model says: each of its tokens is the likeliest.
    public let exactMatch: Scores
    /// The share of probes where the likeliest first token is the unedited model's; empty where it has not been asked.
    public let unchanged: Scores
}

/// Records judged. A record counts once for each kind of probe that it has, as the mean over its probes of that kind.
package struct ScoreTally {
    private struct Mean {
        var sum = 0.0
        var count = 0.0

        mutating func add(_ value: Double) {
            sum += value
            count += 1
        }

        var value: Double { sum / count }
        var percent: Double { 100 * sum / count }
    }

    private var successes: [Probe.Kind: Mean] = [:]
    private var accuracies: [Probe.Kind: Mean] = [:]
    private var matches: [Probe.Kind: Mean] = [:]
    private var unchanged: [Probe.Kind: Mean] = [:]

    /// Adds one record's probes.
    mutating func add(_ outcomes: [(kind: Probe.Kind, outcome: Outcome)]) {
        for (index, first) in outcomes.enumerated() where !outcomes[..<index].contains(where: { $0.kind == first.kind }) {
            var accuracy = Mean(), success = Mean(), match = Mean(), same = Mean()
            for (kind, outcome) in outcomes[index...] where kind == first.kind {
                accuracy.add(outcome.accuracy)
                match.add(outcome.accuracy == 1 ? 1 : 0)
                if let succeeds = outcome.success { success.add(succeeds ? 1 : 0) }
                if let isUnchanged = outcome.isUnchanged { same.add(isUnchanged ? 1 : 0) }
            }
            accuracies[first.kind, default: Mean()].add(accuracy.value)
            matches[first.kind, default: Mean()].add(match.value)
            if same.count > 0 { unchanged[first.kind, default: Mean()].add(same.value) }
            if success.count > 0 { successes[first.kind, default: Mean()].add(success.value) }
        }
    }

    /// As numbers that can be sent and added; `kinds` says of which kinds of probes, in which order.
    func numbers(_ kinds: [Probe.Kind]) -> [Double] {
        kinds.flatMap { kind in [successes, accuracies, matches, unchanged].flatMap { means in [means[kind]?.sum ?? 0, means[kind]?.count ?? 0] } }
    }

    init(numbers: [Double], _ kinds: [Probe.Kind]) {
        for (index, kind) in kinds.enumerated() {
            func mean(_ place: Int) -> Mean? {
                let first = 8 * index + 2 * place
                return numbers[first + 1] == 0 ? nil : Mean(sum: numbers[first], count: numbers[first + 1])
            }
            (successes[kind], accuracies[kind], matches[kind], unchanged[kind]) = (mean(0), mean(1), mean(2), mean(3))
        }
    }

    init() {}

    package static func + (a: ScoreTally, b: ScoreTally) -> ScoreTally {
        func sum(_ a: [Probe.Kind: Mean], _ b: [Probe.Kind: Mean]) -> [Probe.Kind: Mean] {
            a.merging(b) { Mean(sum: $0.sum + $1.sum, count: $0.count + $1.count) }
        }
        var both = ScoreTally()
        (both.successes, both.accuracies) = (sum(a.successes, b.successes), sum(a.accuracies, b.accuracies))
        (both.matches, both.unchanged) = (sum(a.matches, b.matches), sum(a.unchanged, b.unchanged))
        return both
    }

    /// By comparing answers where any were compared.
    package var report: ScoreReport {
        let compared = successes.mapValues(\.percent), accuracy = Scores(accuracies.mapValues(\.percent))
        return ScoreReport(
            scoring: compared.isEmpty ? .tokenAccuracy : .rome, scores: compared.isEmpty ? accuracy : Scores(compared), tokenAccuracy: accuracy,
            exactMatch: Scores(matches.mapValues(\.percent)), unchanged: Scores(unchanged.mapValues(\.percent)))
    }
}
