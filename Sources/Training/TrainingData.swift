import Configuration
import Datasets
import Editing
import TensorCore
import Tokenization
import Transformer

/// The records of a run in the order in which they are trained on, batch by batch.
package struct TrainingData {
    /// The file.
    let path: String
    private let records: [EditRecord]
    /// The last, which are not trained on.
    let heldOut: [EditRecord]
    private let order: SampleOrder
    private let configuration: RunConfiguration
    private let isVaried: Bool
    private let tokenizer: Tokenizer
    /// Plain text that training should leave as it is, passages and prompts apart; none where it does not count.
    private let text: [[TokenSequence]]

    /// Loads the records; this rank checks its share of them, so that none stops a run hours later. `message` hears of repeated prompts.
    init(_ configuration: RunConfiguration, tokenizer: Tokenizer, model: LanguageModel, work: ShardedWork, message: (String) -> Void) throws {
        let split = try configuration.trainingSplit(neededBy: "train")
        path = split.path
        let all = try configuration.records(of: split), held = configuration.training.validationEdits
        guard all.count - held >= configuration.data.editsPerBatch else {
            let rest = held > 0 ? ", and training.validation_edits, which are not trained on, \(held)" : ""
            throw BadInput(split.path, "has \(counted(all.count, "record")); data.edits_per_batch is \(configuration.data.editsPerBatch)\(rest)")
        }
        (records, heldOut) = (Array(all.dropLast(held)), Array(all.suffix(held)))
        if configuration.method.isTrained, let record = records.first(where: { $0.lessons(.follow).isEmpty }) {
            let others = configuration.editor.rephrasings > 0 ? " beside those that editor.rephrasings has edited" : ""
            throw BadInput(record.place, "has no prompt in other words\(others); editor.method \(configuration.method.name) is trained with them")
        }
        let training = configuration.training
        if configuration.plan.locality != nil || training.neighborWeight > 0 || training.bleedWeight > 0, records.allSatisfy({ $0.lessons(.keep).isEmpty }) {
            throw BadInput(
                split.path,
                "has no record with a prompt that the edit should leave alone; "
                    + (configuration.plan.locality != nil
                        ? "editor.method \(configuration.method.name) is trained with them"
                        : "training.\(training.neighborWeight > 0 ? "neighbor_weight" : "bleed_weight") counts them"))
        }
        if training.oldAnswerWeight > 0, records.allSatisfy(\.oldAnswers.isEmpty) {
            throw BadInput(split.path, "has no record with an answer from before the edit to compare with; training.old_answer_weight counts them")
        }
        order = SampleOrder(count: records.count, seed: UInt64(configuration.run.seed))
        self.configuration = configuration
        self.tokenizer = tokenizer
        isVaried = training.batchSizes == .varied
        text =
            configuration.training.textWeight > 0
            ? [PlainText.passages, PlainText.prompts].map { PlainText.sequences($0, tokenizer: tokenizer, model: model, microBatch: 1).flatMap(\.self) } : []
        for record in all[work.ownShare(of: all.count)] {
            let one = try configuration.batch([record], tokenizer: tokenizer, hasContrasts: false, isLearned: true)
            for sequence in (one.edits + one.rephrasings + one.unrelated + one.bleed + one.oldAnswers).joined() {
                try model.check(sequence.prompt + sequence.answer, of: record.place)
            }
        }
        for note in [RepeatedPrompts(records).noteOnDataSet, configuration.noteOnMissingSubjects(of: records), configuration.noteOnIdleTerms].compactMap(\.self) {
            message(note)
        }
    }

    /// Batches of the whole run.
    var batchCount: Int { configuration.data.batches * configuration.training.passes }

    func batch(_ index: Int) throws -> EditBatch {
        let first = index * configuration.data.editsPerBatch
        let chosen = order.records(first..<first + size(of: index)).map { records[$0] }
        var batch = try configuration.batch(chosen, tokenizer: tokenizer, isLearned: true)
        batch.text = passages(of: index)
        return batch
    }

    /// Of which training.batch_sizes=varied draws, each as likely: 1, 2, 4, … and the most.
    package static func variedSizes(upTo most: Int) -> [Int] { sequence(first: 1) { $0 * 2 < most ? $0 * 2 : nil } + [most] }

    /// How many edits a batch has.
    private func size(of index: Int) -> Int {
        let most = configuration.data.editsPerBatch
        guard isVaried else { return most }
        let sizes = Self.variedSizes(upTo: most)
        return sizes[draw(.batchSizes, index, 0, below: sizes.count)]
    }

    /// Passages and prompts by turns, in micro-batches.
    private func passages(of index: Int) -> [[TokenSequence]] {
        let kinds = text.filter { !$0.isEmpty }
        guard !kinds.isEmpty else { return [] }
        let chosen = (0..<configuration.training.textPassages).map { place in
            let kind = kinds[place % kinds.count]
            return kind[draw(.passages, index, place, below: kind.count)]
        }.sorted { $0.fedCount > $1.fedCount }
        return stride(from: 0, to: chosen.count, by: configuration.data.microBatch).map {
            Array(chosen[$0..<min(chosen.count, $0 + configuration.data.microBatch)])
        }
    }

    /// A number that depends on the seed, the batch and a place in it.
    private func draw(_ purpose: RandomStream.Purpose, _ index: Int, _ place: Int, below count: Int) -> Int {
        let stream = RandomStream(seed: UInt64(configuration.run.seed), purpose: purpose, lane: UInt32(truncatingIfNeeded: index))
        return stream.number(UInt64(place), below: count)
    }

    /// Of what is trained on: a run resumes only on the same records.
    var fingerprint: String {
        var fingerprint = Fingerprint()
        for record in records + heldOut {
            for text in [record.prompt, record.target, record.lessons(.follow).first?.prompt ?? "", record.lessons(.keep).first?.prompt ?? ""] { fingerprint.mix(text) }
        }
        return fingerprint.text
    }
}
