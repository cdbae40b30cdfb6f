import Datasets
import Documents
import Foundation

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
    package static func ordered(_ kinds: some Sequence<Probe.Kind>) -> [Probe.Kind] { standard + Set(kinds).subtracting(standard).sorted { $0.name < $1.name } }
}

/// A mean over records, in percent.
public struct Estimate: Sendable, Equatable {
    /// NaN where no record has what it is a mean of.
    public let value: Double
    /// In which 95 % of the means lie that are found where records are drawn anew from those there are, with replacement (the percentile bootstrap); nil: of fewer than two records.
    public let interval: ClosedRange<Double>?

    package init(value: Double, interval: ClosedRange<Double>?) {
        self.value = value
        self.interval = interval
    }

    static let none = Estimate(value: .nan, interval: nil)

    /// As 86.5, or – for nothing.
    package var text: String { value.isNaN ? "–" : String(format: "%.1f", value) }
    /// As 81–91.
    package var intervalText: String { interval.map { String(format: "%.0f–%.0f", $0.lowerBound, $0.upperBound) } ?? "–" }
    package var intervalJSON: JSONValue { interval.map { [.number($0.lowerBound), .number($0.upperBound)] } ?? .null }
}

/// A score for each kind of probe, in percent.
public struct Scores: Sendable, Equatable {
    private let estimates: [Probe.Kind: Estimate]

    init(_ estimates: [Probe.Kind: Estimate]) { self.estimates = estimates }

    /// NaN where no record has such a probe.
    public subscript(_ kind: Probe.Kind) -> Double { estimate(kind).value }

    /// With its interval.
    public func estimate(_ kind: Probe.Kind) -> Estimate { estimates[kind] ?? .none }

    /// The standard ones, whether or not there are any, then others by their names.
    public var kinds: [Probe.Kind] {
        Probe.Kind.ordered(estimates.keys)
    }

    /// By the kinds' names.
    package var json: JSONValue { .object(JSONObject(kinds.map { ($0.name, .number(self[$0])) })) }
    /// By the kinds' names, [from, to].
    package var intervalsJSON: JSONValue { .object(JSONObject(kinds.map { ($0.name, estimate($0).intervalJSON) })) }

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
    /// Of the standard kinds' scores, as far as there are any: an editor is as good as what it does worst.
    public let harmonicMean: Estimate
    /// By the share of tokens.
    public let tokenAccuracy: Scores
    /// The share of probes whose right answer the model says: each of its tokens is the likeliest.
    public let exactMatch: Scores
    /// The share of probes where the likeliest first token is the unedited model's; empty where it has not been asked.
    public let unchanged: Scores
}

/// What a record's probes of one kind gave: means over them.
package struct RecordOutcome: Sendable, Equatable {
    /// Of two answers the right one is likelier; nil where none are compared.
    let success: Double?
    /// The share of tokens that are likeliest.
    let accuracy: Double
    /// All of them are.
    let match: Double
    /// The likeliest first token is the unedited model's; nil where that is not known.
    let unchanged: Double?

    init(_ outcomes: [Outcome]) {
        func mean(_ values: [Double]) -> Double? { values.isEmpty ? nil : values.reduce(0, +) / Double(values.count) }
        success = mean(outcomes.compactMap(\.success).map { $0 ? 1 : 0 })
        accuracy = mean(outcomes.map(\.accuracy)) ?? .nan
        match = mean(outcomes.map { $0.accuracy == 1 ? 1 : 0 }) ?? .nan
        unchanged = mean(outcomes.compactMap(\.isUnchanged).map { $0 ? 1 : 0 })
    }

    /// As numbers that can be sent; NaN for nil.
    var numbers: [Double] { [success ?? .nan, accuracy, match, unchanged ?? .nan] }
    static let width = 4

    /// nil: no probe of that kind.
    init?(numbers: some RandomAccessCollection<Double>) {
        let all = Array(numbers)
        guard !all[1].isNaN else { return nil }
        (success, accuracy, match, unchanged) = (all[0].isNaN ? nil : all[0], all[1], all[2], all[3].isNaN ? nil : all[3])
    }

    /// A line of `evaluate --records`.
    package var json: JSONValue {
        func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
        return ["success": number(success), "tokenAccuracy": .number(accuracy), "exactMatch": .number(match), "unchanged": number(unchanged)]
    }
}

/// Records judged. A record counts once for each kind of probe that it has, as the mean over its probes of that kind.
package struct ScoreTally: Sendable, Equatable {
    /// In the order in which they were judged.
    package private(set) var records: [[Probe.Kind: RecordOutcome]] = []

    init() {}

    /// Adds one record's probes.
    mutating func add(_ outcomes: [(kind: Probe.Kind, outcome: Outcome)]) {
        records.append(Dictionary(grouping: outcomes, by: \.kind).mapValues { RecordOutcome($0.map(\.outcome)) })
    }

    /// Of a tally of one record, as numbers that can be sent and added; `kinds` says of which kinds of probes, in which order. NaN where it has none.
    func numbers(_ kinds: [Probe.Kind]) -> [Double] {
        kinds.flatMap { kind in records.first?[kind]?.numbers ?? Array(repeating: .nan, count: RecordOutcome.width) }
    }

    /// One record's.
    init(numbers: [Double], _ kinds: [Probe.Kind]) {
        let width = RecordOutcome.width
        records = [
            Dictionary(
                uniqueKeysWithValues: kinds.enumerated().compactMap { index, kind in
                    RecordOutcome(numbers: numbers[width * index..<width * (index + 1)]).map { (kind, $0) }
                })
        ]
    }

    package static func + (a: ScoreTally, b: ScoreTally) -> ScoreTally {
        var both = a
        both.records += b.records
        return both
    }

    /// By comparing answers where any were compared.
    package var report: ScoreReport { report(hasIntervals: true) }

    /// Likewise, without the draws that intervals take.
    var reportOfMeans: ScoreReport { report(hasIntervals: false) }

    private func report(hasIntervals: Bool) -> ScoreReport {
        let kinds = Array(Set(records.flatMap(\.keys))), bootstrap = Bootstrap(count: hasIntervals ? records.count : 0)
        func column(_ kind: Probe.Kind, _ value: (RecordOutcome) -> Double?) -> Bootstrap.Column? {
            bootstrap.column(records.map { $0[kind].flatMap(value) })
        }
        func columns(_ value: (RecordOutcome) -> Double?) -> [Probe.Kind: Bootstrap.Column] {
            Dictionary(uniqueKeysWithValues: kinds.compactMap { kind in column(kind, value).map { (kind, $0) } })
        }
        func scores(_ columns: [Probe.Kind: Bootstrap.Column]) -> Scores { Scores(columns.mapValues(\.estimate)) }
        let compared = columns(\.success), accuracies = columns(\.accuracy), judged = compared.isEmpty ? accuracies : compared
        return ScoreReport(
            scoring: compared.isEmpty ? .tokenAccuracy : .rome, scores: scores(judged),
            harmonicMean: Bootstrap.Column.harmonicMean(Probe.Kind.standard.compactMap { judged[$0] }).estimate, tokenAccuracy: scores(accuracies),
            exactMatch: scores(columns(\.match)), unchanged: scores(columns(\.unchanged)))
    }
}
