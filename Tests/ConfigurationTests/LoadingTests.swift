import Configuration
import Foundation
import Settings
import Testing

/// The least that a configuration must say.
let minimal = "model: {path: m}\neditor: {modules: [a.1-2.b]}\n"

func configuration(_ text: String, _ overrides: String..., source: String = "quickstart.yaml") throws -> RunConfiguration {
    try RunConfiguration(text: text, source: source, overrides: overrides)
}

@Suite struct LoadingTests {
    private static let configurations = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Configs")
    static let published = configurations.appendingPathComponent("emsedit.yaml").path
    static let quickstart = configurations.appendingPathComponent("quickstart.yaml").path

    @Test func theRecipeSaysWhatThePaperSays() throws {
        let quickstart = try RunConfiguration.load(path: Self.published)
        #expect(quickstart.model.path == "models/smollm2-135m")
        let editor = quickstart.editor
        #expect(editor.method.name == "emsedit" && editor.mode == .sequential && editor.steps == 2)
        #expect(editor.modules == ["model.layers.11-15.mlp.gate_proj", "model.layers.18-24.mlp.up_proj"])
        #expect(editor.rank == 1024 && editor.blocks == 4)
        #expect(editor.innerLearningRate == 1e-3 && editor.metaLearningRate == 1e-5)
        #expect(editor[try #require(quickstart.plan.norm)] == 0.25 && editor.maxGradientNorm == 1)
        let data = quickstart.data
        let train = try quickstart.trainingSplit(neededBy: "train")
        #expect(train.path == "Configs/data/world-facts-train.json" && train.format == nil)
        #expect(try quickstart.evaluationSplit(neededBy: "evaluate").path == "Configs/data/world-facts-eval.json")
        #expect(data.editsPerBatch == 20 && data.batches == 10 && data.microBatch == 4)
        #expect(quickstart.training.passes == 1 && quickstart.training.updateEvery == nil)
        #expect(quickstart.training.clip == .accumulated)
        #expect(quickstart.evaluation.batches == 10 && quickstart.evaluation.normalizer == .online)
        #expect(quickstart.checkpoint.directory == "runs/emsedit" && quickstart.checkpoint.every == 10)
        #expect(quickstart.checkpoint.keep == 3 && quickstart.checkpoint.keepEvery == 0)
        #expect(quickstart.run.seed == 1 && quickstart.run.shards == 8)
        #expect(quickstart.run.reduction == .ordered && quickstart.run.threads == nil)
    }

    /// The quickstart's editor is held in place, and trained for what its scores say.
    @Test func theQuickstartHoldsEdits() throws {
        let quickstart = try RunConfiguration.load(path: Self.quickstart), editor = quickstart.editor, training = quickstart.training
        #expect(editor.method.name == "emsedit" && editor.mode == .sequential && editor.positions == .subject && editor.contrastPositions == .all)
        #expect(editor.contrastWeight > 0 && editor.backgroundWeight > 0 && editor.normalizer == .firstStep && editor.lossBound > 0 && editor.halvings > 0)
        #expect(training.bleedWeight > 0 && training.textWeight > 0 && training.editWeight > 0 && training.validationEdits > 0)
        #expect(quickstart.checkpoint.directory == "runs/quickstart")
    }

    @Test func whatTheRecipeSaysIsTheDefault() throws {
        let quickstart = try RunConfiguration.load(path: Self.published)
        let modules = "[\(quickstart.editor.modules.joined(separator: ","))]"
        let least = try configuration(
            "", "model.path=models/smollm2-135m", "editor.modules=\(modules)",
            "data.train.path=Configs/data/world-facts-train.json",
            "data.evaluation.path=Configs/data/world-facts-eval.json", source: "emsedit.yaml")
        #expect(least == quickstart)
        #expect(least.canonicalText == quickstart.canonicalText)
    }

    @Test func defaultsThatFollowOtherKeys() throws {
        func regularization(_ overrides: String...) throws -> Double {
            let read = try RunConfiguration(text: minimal, source: "quickstart.yaml", overrides: overrides)
            return read.editor[try #require(read.plan.norm)]
        }
        #expect(try regularization() == 0.25 && regularization("editor.mode=batch") == 0.5)
        #expect(try regularization("editor.mode=batch", "editor.regularization=0") == 0)
        #expect(try configuration(minimal, "editor.method=mend").editor.mode == .batch)
        #expect(try configuration(minimal, "editor.method=ultraedit").editor.innerLearningRate == 1e-6)
        let data = try configuration(minimal, "data.batches=7", "data.edits_per_batch=3").evaluation
        #expect(data.batches == 7 && data.editsPerBatch == 3)
        #expect(try configuration(minimal, source: "a/b.c/llama.8b.yaml").checkpoint.directory == "runs/llama.8b")
        #expect(try configuration(minimal, source: "..").checkpoint.directory == "runs/run")
    }

    @Test func whatACommandNeedsIsAskedForByIt() throws {
        let none = try configuration(minimal + "data: {train: }\n")
        #expect(
            throws: ConfigurationError(
                location: "quickstart.yaml", keyPath: "data.train.path", problem: "amend train needs it, and it is not set")
        ) { try none.trainingSplit(neededBy: "amend train") }
        #expect(throws: ConfigurationError.self) { try none.evaluationSplit(neededBy: "amend evaluate") }
        let given = try configuration(minimal, "data.evaluation.path=e", "data.evaluation.format=zsre")
        #expect(try given.evaluationSplit(neededBy: "amend evaluate").format == .zsre)
    }

    @Test(arguments: [
        ("editor.meta_learning_rate=1e-5", 1e-5), ("editor.meta_learning_rate=1E-5", 1e-5),
        ("editor.meta_learning_rate=.5", 0.5), ("editor.meta_learning_rate=+2.", 2),
        ("editor.meta_learning_rate=1_000.5", 1000.5), ("editor.meta_learning_rate= 3 ", 3),
    ])
    func numbersAsPeopleWriteThem(override: String, value: Double) throws {
        #expect(try configuration(minimal, override).editor.metaLearningRate == value)
    }

    @Test func wordsThatYAMLTakesForSomethingElseStayText() throws {
        let text = "model: {path: no}\neditor: {modules: [1.0, yes, 0x10, \"null\", 2001-01-01]}\ncheckpoint: {directory: 017}\n"
        let read = try configuration(text)
        #expect(read.model.path == "no" && read.checkpoint.directory == "017")
        #expect(read.editor.modules == ["1.0", "yes", "0x10", "null", "2001-01-01"])
    }

    @Test func overridesApplyInOrderAndBeforeValidation() throws {
        let broken = "model: {path: m}\neditor: {modules: [a], steps: two}\n"
        let read = try configuration(
            broken, "editor.steps=3", "editor.steps = 4", "model.path=a: b #c", "run.seed=9223372036854775807",
            "training.update_every=1_0", "run.threads=3", "editor.modules=[\"x\", y]", "checkpoint.directory='q'",
            "editor.rank=null")
        #expect(read.editor.steps == 4 && read.editor.modules == ["x", "y"] && read.editor.rank == 1024)
        #expect(read.model.path == "a: b #c" && read.checkpoint.directory == "q")
        #expect(read.run.seed == .max && read.run.threads == 3)
        #expect(read.training.updateEvery == 10)
    }
}
