import Configuration
import Datasets
import Editing
import TensorCore
import Tokenization
import Transformer

/// The records of a run in the order in which they are trained on, batch by batch.
struct TrainingData {
    /// The file.
    let path: String
    private let records: [EditRecord]
    private let order: SampleOrder
    private let configuration: RunConfiguration
    private let tokenizer: Tokenizer

    /// Loads the records; this rank checks its share of them, so that none stops a run hours later. `message` hears of repeated prompts.
    init(_ configuration: RunConfiguration, tokenizer: Tokenizer, model: LanguageModel, work: ShardedWork, message: (String) -> Void) throws {
        let split = try configuration.trainingSplit(neededBy: "train")
        path = split.path
        records = try DatasetFile.load(split.path, format: split.format)
        guard records.count >= configuration.data.editsPerBatch else {
            throw BadInput(split.path, "has \(counted(records.count, "record")); data.edits_per_batch is \(configuration.data.editsPerBatch)")
        }
        if configuration.method.isTrained, let record = records.first(where: { $0.lessons(.follow).isEmpty }) {
            throw BadInput(record.place, "has no prompt in other words; editor.method \(configuration.method.name) is trained with them")
        }
        if configuration.plan.locality != nil, records.allSatisfy({ $0.lessons(.keep).isEmpty }) {
            throw BadInput(
                split.path,
                "has no record with a prompt that the edit should leave alone; "
                    + "editor.method \(configuration.method.name) is trained with them")
        }
        order = SampleOrder(count: records.count, seed: UInt64(configuration.run.seed))
        self.configuration = configuration
        self.tokenizer = tokenizer
        for record in records[work.ownShare(of: records.count)] {
            let one = try configuration.batch([record], tokenizer: tokenizer, hasContrasts: false)
            for sequence in (one.edits + one.rephrasings + one.unrelated).joined() {
                try model.check(sequence.prompt + sequence.answer, of: record.place)
            }
        }
        for note in [RepeatedPrompts(records).noteOnDataSet, configuration.contrast?.note(on: records)].compactMap(\.self) { message(note) }
    }

    /// Batches of the whole run.
    var batchCount: Int { configuration.data.batches * configuration.training.passes }

    func batch(_ index: Int) throws -> EditBatch {
        let size = configuration.data.editsPerBatch
        let chosen = order.records(index * size..<(index + 1) * size).map { records[$0] }
        return try configuration.batch(chosen, tokenizer: tokenizer)
    }

    /// Of what is trained on: a run resumes only on the same records.
    var fingerprint: String {
        var fingerprint = Fingerprint()
        for record in records {
            for text in [record.prompt, record.target, record.lessons(.follow).first?.prompt ?? "", record.lessons(.keep).first?.prompt ?? ""] { fingerprint.mix(text) }
        }
        return fingerprint.text
    }
}
