import Datasets
import Evaluation
import TensorCore
import Training
import Transformer

// What a session takes and gives, under this module's name.

/// Edits that belong together, with the probes by which they are learned and judged.
public typealias EditRecord = Datasets.EditRecord
/// A prompt by which an edit is judged or learned, and what should come of it.
public typealias Probe = Datasets.Probe
/// A prompt and the text that should follow it.
public typealias Question = Datasets.Question
/// What scoring found.
public typealias ScoreReport = Evaluation.ScoreReport
/// A mean with its interval.
public typealias Estimate = Evaluation.Estimate
/// What became of plain text that no edit is about.
public typealias Drift = Evaluation.Drift
/// A score for each kind of probe, in percent.
public typealias Scores = Evaluation.Scores
/// How answers are judged.
public typealias ScoringProtocol = Evaluation.ScoringProtocol
/// What a run of meta-training came to.
public typealias TrainingSummary = Training.TrainingSummary
/// How a model's frozen weights are held.
public typealias WeightPrecision = Transformer.WeightPrecision
/// Input that cannot be used, with its place.
public typealias BadInput = TensorCore.BadInput

extension EditRecord {
    /// The records of a data file, in its order: see Configs/SETTINGS.md, `data.format`, for the forms that are read. Without a format, that which the first record's
    /// keys speak for.
    ///
    /// Throws an error that names file, record (counted from 1), line and key.
    public static func load(_ path: String, format: String? = nil) throws -> [EditRecord] {
        let named = try format.map { name in
            guard let format = DatasetFormat.all.first(where: { $0.name == name }) else {
                throw BadInput("format", "expected \(DatasetFormat.all.map(\.name).joined(separator: ", ")), found '\(name)'")
            }
            return format
        }
        return try DatasetFile.load(path, format: named)
    }
}
