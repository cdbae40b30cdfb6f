import Datasets
import LinearAlgebra
import Settings
import Transformer

// The settings of a run, but for the editor's, which are its method's.

package struct ModelSettings: SettingGroup {
    package let path = Setting(
        required: "path", .text("path of a model (a .gguf file or a directory)"), identity: .mayChange,
        "a .gguf file, a directory with one, or one with config.json, safetensors and tokenizer.json")
    package let weights = Setting(
        "weights", .choice as SettingKind<WeightPrecision>, default: .auto, identity: .mayChange,
        "how the frozen weights are held: as the file has them, decoded to float32, or rounded to bfloat16")
}

/// Of a file of edits.
package struct SplitSettings: SettingGroup {
    package let path = Setting(required: "path", .text("path of a data file"), identity: .mayChange, "a JSON array of records, or JSON Lines")
    package let format = Setting(
        "format", .one(of: DatasetFormat.all + [nil]) { $0?.name ?? "auto" }, default: nil, identity: .mayChange,
        "what its records look like: auto goes by the keys of the first")
}

package struct DataSettings: SettingGroup {
    package let editsPerBatch = Setting("edits_per_batch", .count, default: 20, "n, edits that are applied together")
    package let batches = Setting("batches", .count, default: 10, "T, the length of a sequence: batches applied to the same model one after another")
    package let microBatch = Setting("micro_batch", .count, default: 4, "sequences over which a loss is a mean")
}

package struct TrainingSettings: SettingGroup {
    /// Whether gradients are clipped each time they accumulate, or once, before the optimizer's step.
    package enum Clip: String, Sendable, CaseIterable { case accumulated, update }

    package let passes = Setting("passes", .count, default: 1, identity: .mayChange, "sequences to train on; the model starts each one unedited")
    /// nil: once, after the last batch of a sequence.
    package let updateEvery = Setting(
        "update_every", .word("sequence", orCountUpTo: Int(Int32.max), of: "batches"), default: nil,
        "step the optimizer after each sequence, or after a number of batches; in batch mode every step of every batch is an update")
    package let clip = Setting(
        "clip", .choice as SettingKind<Clip>, default: .accumulated, "gradients, each time they accumulate, or once, before the optimizer steps")
    /// How many edits a batch has.
    package enum BatchSizes: String, Sendable, CaseIterable { case fixed, varied }

    package let batchSizes = Setting(
        "batch_sizes", .choice as SettingKind<BatchSizes>, default: .fixed, identity: .runUnlessDefault,
        "edits_per_batch, as published, or for each batch 1, 2, 4, … or edits_per_batch, so that the editor learns of few and of many")
    package let editWeight = Setting(
        "edit_weight", .notNegative, default: 0, identity: .runUnlessDefault,
        "what the loss counts of the edits' own prompts, where their rephrasings count 1; 0: nothing, as published")
    package let neighborWeight = Setting(
        "neighbor_weight", .notNegative, default: 0, identity: .runUnlessDefault,
        "what the loss counts of KL(unedited‖edited) on unrelated prompts, of each token as far as it is above neighbor_bound; 0: nothing")
    package let neighborBound = Setting("neighbor_bound", .notNegative, default: 0, identity: .runUnlessDefault, "what a token of an unrelated prompt may move")
    package let bleedWeight = Setting(
        "bleed_weight", .notNegative, default: 0, identity: .runUnlessDefault,
        "what the loss counts of the edits' answers after unrelated prompts: of each token how far log P is above the unedited model's and bleed_bound; 0: nothing")
    package let bleedBound = Setting("bleed_bound", .notNegative, default: 0, identity: .runUnlessDefault, "by how much a token may become likelier there")
    package let oldAnswerWeight = Setting(
        "old_answer_weight", .notNegative, default: 0, identity: .runUnlessDefault,
        "what the loss counts of the old answers after the edits' rephrasings: of each token what its log P still lacks of having fallen by old_answer_margin; 0: nothing"
    )
    package let oldAnswerMargin = Setting(
        "old_answer_margin", .notNegative, default: 2, identity: .runUnlessDefault, "by how much, in nats, a token is to become less likely there than unedited")
    package let textWeight = Setting(
        "text_weight", .notNegative, default: 0, identity: .runUnlessDefault,
        "what the loss counts of KL(unedited‖edited) on plain text, of each token as far as it is above text_bound; 0: nothing")
    package let textBound = Setting("text_bound", .notNegative, default: 0, identity: .runUnlessDefault, "what a token of plain text may move")
    package let textPassages = Setting(
        "text_passages", .wholeNumber(1...256), default: 4, identity: .runUnlessDefault, "of plain text for each batch, where text_weight is not 0")
    package let validationEdits = Setting(
        "validation_edits", .wholeNumber(0...(.max)), default: 0, identity: .runUnlessDefault,
        "of the training data, the last, are not trained on but edited and scored now and then, in sequence and one by one: which checkpoint is the best?")
    package let validateEvery = Setting("validate_every", .count, default: 20, identity: .mayChange, "updates, where there are validation_edits")
    package let patience = Setting(
        "patience", .wholeNumber(0...(.max)), default: 0, identity: .mayChange, "validations without a better score after which training ends; 0: it goes on")
    package let warmup = Setting(
        "warmup", .wholeNumber(0...(.max)), default: 0, identity: .runUnlessDefault, "updates in which rates rise to what they are given as")
    package let decay = Setting(
        "decay", .wholeNumber(0...(.max)), default: 0, identity: .runUnlessDefault,
        "updates after which rates have fallen, along half a cosine, to a twentieth, where they stay; 0: they do not fall")
    package let averaging = Setting(
        "averaging", .properShare, default: 0, identity: .runUnlessDefault,
        "what the running average of the parameters keeps of itself at each update, such as 0.98; the average is what is validated and used, and costs memory for as many parameters again. 0: "
            + "the parameters as the last update left them")
}

/// Whether a thing is done.
package enum Switch: String, Sendable, CaseIterable { case yes = "true", no = "false" }

package struct EvaluationSettings: SettingGroup {
    /// Whether the normalizer goes on learning while editing.
    package enum Normalizer: String, Sendable, CaseIterable { case online, frozen }

    package let batches: Setting<Int>
    package let editsPerBatch: Setting<Int>
    package let driftPassages = Setting(
        "drift_passages", .wholeNumber(0...24), default: 24, identity: .mayChange,
        "passages of plain text, about 35 tokens each, by which is measured how edits change what they are not about; in batch mode after every batch")
    package let singleEdits = Setting(
        "single_edits", .wholeNumber(0...(.max)), default: 50, identity: .mayChange,
        "of the records, as far as there are so many, are also edited and scored one by one, each on the unedited model; 0: none")
    package let inContext = Setting(
        "in_context", .choice as SettingKind<Switch>, default: .yes, identity: .mayChange,
        "whether the unedited model is scored too with the edit written before each prompt: what editing has to beat")
    package let normalizer = Setting(
        "normalizer", .choice as SettingKind<Normalizer>, default: .online, identity: .mayChange, "whether it goes on learning while it edits")

    /// - Parameter data: nil where only the names are wanted.
    init(_ data: Section<DataSettings>?) {
        batches = Setting("batches", .count, default: data?.batches ?? 1, described: "as data.batches", identity: .mayChange, "that are edited and scored")
        editsPerBatch = Setting(
            "edits_per_batch", .count, default: data?.editsPerBatch ?? 1, described: "as data.edits_per_batch", identity: .mayChange, "edits that are applied together")
    }
}

package struct CheckpointSettings: SettingGroup {
    package let directory: Setting<String>
    package let every = Setting("every", .count, default: 10, identity: .mayChange, "batches between checkpoints")
    package let keep = Setting("keep", .count, default: 3, identity: .mayChange, "how many of the newest are kept")
    package let keepBest = Setting(
        "keep_best", .choice as SettingKind<Switch>, default: .yes, identity: .mayChange,
        "besides, that with the best validation stays, and is the one that editors are taken from")
    package let keepEvery = Setting(
        "keep_every", .wholeNumber(0...(.max)), default: 0, identity: .mayChange, "besides, every so many batches' checkpoint is kept for good; 0: none")

    init(source: String) {
        directory = Setting(
            "directory", .text("path of a directory"), default: Self.directory(source), described: "runs/ and the name of the file", identity: .mayChange,
            "of the run's checkpoints and metrics")
    }

    private static func directory(_ source: String) -> String {
        let name = source.split(separator: "/").last ?? ""
        let stem = name.lastIndex(of: ".").map { name[..<$0] } ?? name
        let isUsable = stem.contains { $0 != "." } && stem == abbreviated(String(stem))
        return "runs/\(isUsable ? stem : "run")"
    }
}

package struct JobSettings: SettingGroup {
    /// Whether sums over shards are the same bits on any number of ranks, or as fast as MPI makes them.
    package enum Reduction: String, Sendable, CaseIterable { case ordered, fast }

    package let seed = Setting("seed", .wholeNumber(0...(.max), isWide: true), default: 1, identity: .editor, "of the first networks and of the records' order")
    package let shards = Setting(
        "shards", .wholeNumber(1...4096), default: 8, identity: .editor,
        "V, the shares a batch is cut into: the most ranks that can work on it. Changes the numbers")
    package let reduction = Setting(
        "reduction", .choice as SettingKind<Reduction>, default: .ordered, "the same bits on any number of ranks, or whatever order MPI finds best")
    /// nil: the fastest, on the machines where the run begins.
    package let compute = Setting(
        "compute", .one(of: Arithmetic.allCases + [nil]) { $0?.rawValue ?? "auto" }, default: .float32, identity: .runUnlessDefault,
        "the arithmetic of products with the weights of the model and of the hypernetworks. bf16-tiles (for processors with AMX) and bf16 (AVX-512 BF16) "
            + "round numbers, sums stay float32; auto: what is fastest where a run begins, and then the same wherever it goes on")
    /// nil: the usable cores divided by the ranks on the machine.
    package let threads = Setting(
        "threads", .word("auto", orCountUpTo: 4096, of: "threads"), default: nil, identity: .mayChange,
        "per rank; auto: the usable cores divided by the ranks on the machine")
}
