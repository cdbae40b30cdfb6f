import Communication
import Configuration
import Datasets
import Documents
import Editing
import Foundation
import Reporting
import Tokenization
import Training
import Transformer

/// Validates an editor as an evaluation would: records in sequence, in batches as they are trained on, and half of them one by one.
///
/// The score is the mean of both, each the harmonic mean of efficacy, generalization and specificity and of what a user sees: how often the answer is said in other words, and
/// how many of the neighbours' and of plain text's likeliest tokens are kept. An editor is as good as what it does worst.
package final class HeldOutValidator: Validator {
    private let configuration: RunConfiguration
    private let model: LanguageModel
    private let tokenizer: Tokenizer
    private var prepared: (scorer: Scorer, meter: DriftMeter)?

    package init(_ configuration: RunConfiguration, model: LanguageModel, tokenizer: Tokenizer) {
        self.configuration = configuration
        self.model = model
        self.tokenizer = tokenizer
    }

    package func validate(_ engine: EditEngine, on records: [EditRecord]) throws -> Validation {
        defer { model.restore() }
        do { return try scored(engine, on: records) } catch let failure as NumericalFailure {
            return Validation(score: 0, details: ["score": .number(0)], text: "the edits cannot be made: \(failure)")
        }
    }

    /// Throws a numerical failure on every rank alike.
    private func scored(_ engine: EditEngine, on records: [EditRecord]) throws -> Validation {
        let passages = Array(PlainText.heldOut.prefix(8)), work = engine.work
        let scorer: Scorer, meter: DriftMeter
        if let prepared {
            (scorer, meter) = prepared
        } else {
            meter = DriftMeter(passages, model: model, tokenizer: tokenizer, work: work)
            scorer = try Scorer(records, model: model, tokenizer: tokenizer, work: work)
            _ = try scorer.scoreUnedited()
            prepared = (scorer, meter)
        }
        let size = configuration.editor.mode == .batch ? records.count : configuration.data.editsPerBatch
        for (index, first) in stride(from: 0, to: records.count, by: size).enumerated() {
            let part = Array(records[first..<min(records.count, first + size)])
            try engine.apply(configuration.batch(part, tokenizer: tokenizer), place: "validation batch \(index + 1)")
        }
        let sequence = try scorer.score(0..<records.count).reportOfMeans, drift = try meter.measure()
        model.restore()
        let single = try SingleEdits(configuration: configuration, model: model, tokenizer: tokenizer, engine: engine)
            .run(Array(records.prefix((records.count + 1) / 2)), passages: passages)
        let scores = [Self.score(sequence, drift), Self.score(single.after, single.drift)]
        return Validation(
            score: scores.reduce(0, +) / 2,
            details: [
                "score": .number(scores.reduce(0, +) / 2), "sequence": Self.details(sequence, drift, scores[0]),
                "single": Self.details(single.after, single.drift, scores[1]),
            ],
            text: "\(records.count) edits \(Self.text(sequence, drift)), one alone \(Self.text(single.after, single.drift)), "
                + "score \(Quantity.significant(scores.reduce(0, +) / 2, digits: 3))")
    }

    private static func score(_ report: ScoreReport, _ drift: Drift?) -> Double {
        let seen = [report.exactMatch.generalization, report.unchanged.specificity, drift?.tokensKept ?? .nan]
        let parts = (Probe.Kind.standard.map { report.scores[$0] } + seen).filter { !$0.isNaN }
        // What of few records none has is not nothing.
        return Double(parts.count) / parts.reduce(0) { $0 + 1 / max($1, 1) }
    }

    private static func text(_ report: ScoreReport, _ drift: Drift?) -> String {
        let scores = Probe.Kind.standard.map { kind in report.scores[kind].isNaN ? "–" : String(format: "%.0f", report.scores[kind]) }
        func share(_ value: Double?, _ what: String) -> String? { value.flatMap { $0.isNaN ? nil : String(format: "%.0f %% %@", $0, what) } }
        let seen = [
            share(report.exactMatch.generalization, "said in other words"), share(report.unchanged.specificity, "of neighbours"),
            share(drift?.tokensKept, "of plain text kept"),
        ].compactMap(\.self)
        return scores.joined(separator: "/") + (seen.isEmpty ? "" : " (" + seen.joined(separator: ", ") + ")")
    }

    private static func details(_ report: ScoreReport, _ drift: Drift?, _ score: Double) -> JSONValue {
        return [
            "score": .number(score), "scores": report.scores.json, "exactMatch": report.exactMatch.json, "unchanged": report.unchanged.json,
            "tokensKept": drift.map { .number($0.tokensKept) } ?? .null,
        ]
    }
}

extension TrainingRun {
    /// A run that validates its editor where the configuration says so.
    package convenience init(
        validated configuration: RunConfiguration, model: LanguageModel, tokenizer: Tokenizer, communicator: Communicator, output: TrainingOutput
    ) throws {
        let validator = HeldOutValidator(configuration, model: model, tokenizer: tokenizer)
        try self.init(configuration, model: model, tokenizer: tokenizer, communicator: communicator, validator: validator, output: output)
    }
}
