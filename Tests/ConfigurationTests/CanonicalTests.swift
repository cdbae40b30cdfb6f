import Configuration
import Testing

@Suite struct CanonicalTests {
    @Test func canonicalTextIsThisText() throws {
        #expect(
            try configuration(minimal, "data.train.path=t", "editor.meta_learning_rate=0.00001").canonicalText == """
                checkpoint:
                  directory: "runs/quickstart"
                  every: 10
                  keep: 3
                  keep_best: true
                  keep_every: 0
                data:
                  batches: 10
                  edits_per_batch: 20
                  micro_batch: 4
                  train:
                    format: auto
                    path: "t"
                editor:
                  answer_end: open
                  background_share: 0.0
                  background_weight: 0.0
                  blocks: 4
                  contrast_positions: answer
                  contrast_subjects: 10
                  contrast_weight: 0.0
                  earlier_weight: 0.0
                  halvings: 0
                  initialization: published
                  inner_learning_rate: 0.001
                  loss_bound: 0.0
                  max_gradient_norm: 1.0
                  meta_learning_rate: 1e-05
                  method: emsedit
                  mode: sequential
                  modules: ["a.1-2.b"]
                  normalizer: per-step
                  positions: answer
                  prefixes: 0
                  rank: 1024
                  regularization: 0.25
                  rephrasings: 0
                  scalar_learning_rate: 0.0
                  step_bound: 0.0
                  steps: 2
                  window: 1
                  window_decay: 1.0
                evaluation:
                  batches: 10
                  drift_passages: 24
                  edits_per_batch: 20
                  in_context: true
                  normalizer: online
                  single_edits: 50
                model:
                  path: "m"
                  weights: auto
                run:
                  compute: f32
                  reduction: ordered
                  seed: 1
                  shards: 8
                  threads: auto
                training:
                  averaging: 0.0
                  batch_sizes: fixed
                  bleed_bound: 0.0
                  bleed_weight: 0.0
                  clip: accumulated
                  decay: 0
                  edit_weight: 0.0
                  neighbor_bound: 0.0
                  neighbor_weight: 0.0
                  old_answer_margin: 2.0
                  old_answer_weight: 0.0
                  passes: 1
                  patience: 0
                  text_bound: 0.0
                  text_passages: 4
                  text_weight: 0.0
                  update_every: sequence
                  validate_every: 20
                  validation_edits: 0
                  warmup: 0

                """)
    }

    @Test func canonicalTextReadsBackAsTheSameConfiguration() throws {
        let overrides = [
            "model.path=a\"b\\c é \u{2028}\u{FEFF}😀 #: [x]", "editor.modules=['null', \"~\", '1']",
            "run.seed=9223372036854775807", "run.threads=2", "run.compute=bf16", "training.update_every=3", "editor.time_decay=0.1",
            "editor.meta_learning_rate=1.17549436e-38",
            "editor.locality_weight=-0.0", "editor.max_gradient_norm=3.4e38", "data.evaluation.path=null.json",
            "evaluation.batches=3", "checkpoint.keep_every=5", "editor.method=rledit",
        ]
        let original = try RunConfiguration(text: minimal, source: "x.yaml", overrides: overrides)
        let again = try RunConfiguration(text: original.canonicalText, source: "y.yaml")
        #expect(again == original)
        #expect(again.canonicalText == original.canonicalText)
        #expect(again.model.path.unicodeScalars.elementsEqual(original.model.path.unicodeScalars))
    }

    @Test func identityChangesExactlyWithWhatDeterminesTraining() throws {
        let original = try configuration(minimal, "data.train.path=t")
        let without = [
            "model.path=x", "data.train.path=x", "data.evaluation.path=x", "evaluation.batches=1", "evaluation.normalizer=frozen",
            "data.train.format=zsre", "checkpoint.every=1", "checkpoint.directory=x", "run.threads=1", "training.passes=2",
        ]
        for override in without {
            let changed = try configuration(minimal, "data.train.path=t", override)
            #expect(changed != original && changed.trainingIdentity == original.trainingIdentity, "\(override)")
        }
        let with = [
            "editor.steps=3", "editor.modules=[a]", "editor.regularization=0.5", "data.batches=1",
            "data.micro_batch=1", "training.clip=update", "training.update_every=10", "run.seed=2", "run.shards=4",
            "run.reduction=fast", "run.compute=bf16",
        ]
        for override in with {
            let changed = try configuration(minimal, "data.train.path=t", override)
            #expect(changed.trainingIdentity != original.trainingIdentity, "\(override)")
            #expect(try changed.trainingDifferences(from: original.trainingIdentity).count == 1, "\(override)")
            #expect(try original.trainingDifferences(from: changed.trainingIdentity).count == 1, "back from \(override)")
        }
    }

    @Test func differencesNameTheKeysAndBothValues() throws {
        let there = try configuration(minimal, "data.train.path=t", "editor.modules=[a, b]").trainingIdentity
        let here = try configuration(minimal, "editor.modules=[a]", "run.seed=2", "run.threads=9")
        #expect(
            try here.trainingDifferences(from: there) == [
                "editor.modules[1]: b there, not set here", "run.seed: 1 there, 2 here",
            ])
        #expect(try here.trainingDifferences(from: there, ofEditor: true) == ["editor.modules[1]: b there, not set here", "run.seed: 1 there, 2 here"])
        #expect(try here.trainingDifferences(from: here.trainingIdentity).isEmpty)
    }

    /// As runs wrote them down when every method had every setting, and when the form of the data was part of what a run is.
    @Test func whatOlderRunsRecordedIsStillRead() throws {
        let here = try configuration(minimal, "data.train.path=t")
        let older = here.trainingIdentity.replacing("editor:\n", with: "editor:\n  back_depth: 10\n  time_decay: 0.95\n")
            .replacing("data:\n", with: "data:\n  train:\n    format: counterfact\n")
        #expect(older != here.trainingIdentity)
        #expect(try here.trainingDifferences(from: older).isEmpty)
        #expect(try here.trainingDifferences(from: older.replacing("editor:\n", with: "editor:\n  warmup: 3\n")) == ["editor.warmup: 3 there, not set here"])
        let recorded = here.canonicalText.replacing("editor:\n", with: "editor:\n  back_depth: 10\n  locality_weight: 0.6\n")
        #expect(try RunConfiguration(recorded: recorded, source: "step-1") == RunConfiguration(text: here.canonicalText, source: "x"))
        #expect(message { try configuration(recorded) }.hasPrefix("editor.back_depth: "))
        #expect(message { try RunConfiguration(recorded: recorded, source: "s", overrides: ["editor.time_decay=1"]) }.hasPrefix("editor.time_decay: "))
        #expect(message { try RunConfiguration(recorded: recorded.replacing("back_depth", with: "backdepth"), source: "s") }.hasPrefix("editor.backdepth: "))
    }
}
