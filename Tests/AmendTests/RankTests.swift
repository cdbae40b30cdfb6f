import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// The numbers of a run depend on its configuration alone: not on how many ranks or threads compute them.
    @Suite struct RankTests {
        private static let batchMode = ["editor.mode=batch", "training.update_every=sequence"]
        /// So that rows are fewer than what a network's gradients would take to exchange; with TinyRun's own rank they are more.
        private static let fewRows = ["editor.rank=64"]
        /// The published rate is for keys hundreds of times as long.
        private static let strongUltraEdit = ["editor.inner_learning_rate=1e-3"] + noNetwork
        private static let noNetwork = ["editor.method=ultraedit", "editor.rank=null", "editor.blocks=null", "editor.meta_learning_rate=null"]

        @Test(arguments: [[], fewRows, batchMode, ["run.compute=bf16"], ["run.compute=bf16-tiles"]]) func trainsTheSameBits(mode: [String]) throws {
            let run = try TinyRun()
            let alone = try run.train(into: "alone", mode)
            #expect(alone.batches == 8 && alone.edits == 8 * TinyFiles.editsPerBatch && alone.ranks == 1)
            // Sequential: after every third batch and at the end of each sequence. Batch: after every step.
            #expect(alone.updates == (mode == Self.batchMode ? 16 : 4))

            let threaded = try run.train(into: "threaded", mode + ["run.threads=2"])
            #expect(threaded.digest == alone.digest)
            for ranks in 1...4 {
                let trained = try run.train(ranks: ranks, into: "ranks-\(ranks)", mode)
                #expect(trained.ranks == ranks)
                #expect(trained.digest == alone.digest, "on \(ranks) ranks")
                #expect(trained.loss == alone.loss, "on \(ranks) ranks")
            }
            let both = try run.train(ranks: 2, into: "both", mode + ["run.threads=2"])
            #expect(both.digest == alone.digest)
        }

        private static let holding = [
            "editor.normalizer=first-step", "editor.contrast_weight=10", "editor.contrast_subjects=3", "editor.background_weight=5", "editor.earlier_weight=2",
            "editor.initialization=scaled", "editor.inner_learning_rate=3", "editor.loss_bound=4.5", "editor.halvings=2", "editor.steps=3",
        ]

        /// What holds edits in place is solved for on every rank alike.
        @Test(arguments: [
            ["editor.positions=all"],
            ["editor.positions=subject-last", "editor.contrast_positions=all", "editor.prefixes=1", "editor.step_bound=0.5", "editor.background_share=0.5"],
        ])
        func holdsEditsByTheSameBits(positions: [String]) throws {
            let run = try TinyRun(), settings = Self.holding + positions
            let alone = try run.train(into: "alone", settings), plain = try run.train(into: "plain")
            #expect(alone.digest != plain.digest)
            for ranks in 2...4 { #expect(try run.train(ranks: ranks, into: "ranks-\(ranks)", settings).digest == alone.digest, "on \(ranks) ranks") }
            #expect(try run.train(ranks: 3, into: "resumed", settings + ["training.passes=1", "checkpoint.every=3"]).batches == 4)
            #expect(try run.train(ranks: 2, into: "resumed", settings + ["checkpoint.every=3"]).digest == alone.digest)
        }

        @Test func whatHoldsEditsChangesThem() throws {
            let run = try TinyRun(), short = Self.holding + ["training.passes=1"], held = try run.train(into: "held", short)
            for change in [
                "editor.contrast_weight=9", "editor.background_weight=4", "editor.earlier_weight=1", "editor.normalizer=per-step", "editor.contrast_subjects=2",
                "editor.loss_bound=0", "editor.step_bound=1", "editor.background_share=0.5",
                "editor.halvings=1", "editor.contrast_positions=subject", "editor.positions=subject", "editor.positions=prompt", "editor.prefixes=1",
            ] {
                #expect(try run.train(into: change, short + [change]).digest != held.digest, "\(change) changes nothing")
            }
        }

        /// Terms of the objective, batches of many sizes, rates that rise and fall.
        @Test(arguments: [[], batchMode]) func learnsByTheSameBits(mode: [String]) throws {
            let run = try TinyRun()
            let settings =
                mode + [
                    "editor.initialization=scaled", "editor.scalar_learning_rate=0.02", "training.batch_sizes=varied", "training.edit_weight=0.5",
                    "training.neighbor_weight=1", "training.neighbor_bound=0.001", "training.bleed_weight=1", "training.text_weight=10", "training.text_passages=5",
                    "training.warmup=2", "training.old_answer_weight=0.5", "training.old_answer_margin=1",
                    "training.decay=6", "training.update_every=\(mode.isEmpty ? "1" : "sequence")",
                ] + (mode.isEmpty ? ["editor.window=2", "editor.window_decay=0.5"] : [])
            let alone = try run.train(into: "alone", settings)
            #expect(alone.batches == 8 && alone.edits < 8 * TinyFiles.editsPerBatch && alone.edits > 8)
            for ranks in 2...4 { #expect(try run.train(ranks: ranks, into: "ranks-\(ranks)", settings).digest == alone.digest, "on \(ranks) ranks") }
            #expect(try run.train(ranks: 3, into: "resumed", settings + ["training.passes=1", "checkpoint.every=3"]).batches == 4)
            #expect(try run.train(ranks: 2, into: "resumed", settings + ["checkpoint.every=3"]).digest == alone.digest)
            for change in [
                "editor.scalar_learning_rate=0.01", "training.batch_sizes=fixed", "training.edit_weight=0", "training.neighbor_weight=0", "training.neighbor_bound=0.1",
                "training.bleed_weight=0", "training.bleed_bound=0.1", "training.old_answer_weight=0", "training.old_answer_margin=0",
                "training.text_weight=0", "training.text_bound=0.001", "training.text_passages=3", "training.warmup=0", "training.decay=0",
            ] + (mode.isEmpty ? ["editor.window=1", "editor.window_decay=0.6"] : []) {
                #expect(try run.train(into: change, settings + [change]).digest != alone.digest, "\(change) changes nothing")
            }
        }

        /// Every method besides, alone, on ranks and resumed on another number of them.
        @Test(arguments: ["malmen", "mend", "rledit", "ultraedit"], [[], fewRows]) func everyMethodTrainsTheSameBits(method: String, rows: [String]) throws {
            let run = try TinyRun(),
                settings =
                    ["editor.method=\(method)", "training.update_every=sequence"]
                    + (method == "ultraedit" ? Self.strongUltraEdit : rows) + (method == "rledit" ? ["editor.back_depth=3"] : [])
            let alone = try run.train(into: "alone", settings)
            #expect(alone.batches == 8 && alone.updates == ["rledit": 2, "ultraedit": 0][method] ?? 16)
            #expect((alone.loss == nil) == (method == "ultraedit"))
            try checkRanks(of: run, settings, alone: alone)
        }

        /// Every editor that is a loop of its own over the edits, likewise: `train` makes a sequence of edits and keeps them.
        @Test(arguments: [
            ["locft-bf", "editor.learning_rate=0.01", "editor.mini_batch=3", "editor.regularization=0.1"],
            ["crispedit", "editor.learning_rate=0.01", "editor.mini_batch=4", "editor.curvature_share=0.5", "editor.prefixes=1"],
            [
                "memit", "editor.modules=[model.layers.1-2.mlp.down_proj]", "editor.prefixes=2", "editor.background_weight=4", "editor.value_steps=4",
                "editor.ridge=0.01", "editor.value_bound=20", "editor.value_rate=2",
            ],
            [
                "alphaedit", "editor.modules=[model.layers.0-2.mlp.down_proj]", "editor.background_share=0.5", "editor.earlier_weight=2", "editor.contrast_weight=1",
                "editor.contrast_subjects=2", "editor.value_rate=0.3", "editor.essence_weight=0.3",
            ],
        ])
        func everyLoopEditsTheSameBits(method: [String]) throws {
            let run = try TinyRun(), settings = ["editor.method=\(method[0])", "training.update_every=sequence"] + Self.noNetwork.dropFirst() + method.dropFirst()
            let alone = try run.train(into: "alone", settings)
            #expect(alone.batches == 8 && alone.updates == 0 && alone.loss == nil)
            let short = try run.train(into: "short", settings + ["training.passes=1"])
            for change in method.dropFirst() where !change.contains("modules") {
                let key = change.prefix { $0 != "=" }
                #expect(try run.train(into: String(key), settings + ["\(key)=null", "training.passes=1"]).digest != short.digest, "\(key)")
            }
            try checkRanks(of: run, settings, alone: alone)
            let batches = try run.evaluate(settings + ["editor.mode=batch"])
            #expect(batches.before != batches.after)
        }

        private func checkRanks(of run: TinyRun, _ settings: [String], alone: Trained) throws {
            let digests = try (2...4).map { (ranks: Int) in try run.train(ranks: ranks, into: "ranks-\(ranks)", settings).digest }
            #expect(digests.allSatisfy { $0 == alone.digest }, "\(digests), alone \(alone.digest)")
            #expect(try run.train(ranks: 3, into: "resumed", settings + ["training.passes=1", "checkpoint.every=3"]).batches == 4)
            let resumed = try run.train(ranks: 2, into: "resumed", settings + ["checkpoint.every=3"])
            #expect(resumed.batches == 8 && resumed.digest == alone.digest)
            let scored = try run.evaluate(settings + ["checkpoint.directory=\(run.file("alone").path)"])
            #expect(scored.before != scored.after, "nothing was edited: \(scored)")
        }

        /// What is not trained edits at once; what is asks to be trained.
        @Test func editsWithoutTrainingWhereThereIsNone() throws {
            let run = try TinyRun(), settings = ["training.update_every=sequence"] + Self.strongUltraEdit
            let alone = try run.evaluate(settings), job = try run.evaluate(ranks: 3, settings)
            #expect(alone.before != alone.after && job.after == alone.after && alone.checkpoint == nil)
            let result = try run.amend("evaluate", ["editor.method=rledit", "training.update_every=sequence"])
            #expect(result.status == 3 && result.errors.contains("holds no checkpoint; train first"), "\(result)")
        }

        /// Whatever instructions compute it; also where a run goes on with others than it began with.
        @Test(arguments: ["f32", "bf16", "bf16-tiles"]) func doesNotDependOnTheProcessor(arithmetic: String) throws {
            let run = try TinyRun(), whole = ["run.compute=\(arithmetic)"], half = whole + ["training.passes=1"]
            func environment(_ kernels: String) -> [String: String] { ["AMEND_KERNELS": kernels, "OPENBLAS_CORETYPE": "Haswell"] }
            let kernels = try ["avx2", "avx512", "avx512bf16", "avx512amx"].filter { name in
                let result = try run.run(arguments: ["inspect", run.file("model").path], environment: environment(name))
                return !result.errors.contains("AMEND_KERNELS is")
            }
            try #require(!kernels.isEmpty, "this processor runs the portable kernels alone")
            let first = try run.train(into: kernels[0], whole, environment: environment(kernels[0]))
            for other in kernels.dropFirst() {
                #expect(try run.train(into: other, whole, environment: environment(other)).digest == first.digest, "\(other)")
                #expect(try run.train(into: "both-\(other)", half, environment: environment(other)).batches == first.batches / 2)
                let resumed = try run.train(into: "both-\(other)", whole, environment: environment(kernels[0]))
                #expect(resumed.batches == first.batches && resumed.digest == first.digest, "resumed after \(other)")
            }
        }

        /// `auto` takes what is fastest here, and on another machine goes on with what the run began with.
        @Test func choosesAnArithmeticOnce() throws {
            let run = try TinyRun(), half = ["run.compute=auto", "training.passes=1"]
            let old = ["AMEND_KERNELS": "avx2", "OPENBLAS_CORETYPE": "Haswell"], here = ["OPENBLAS_CORETYPE": "Haswell"]
            let chosen = try run.amend("train", ranks: 2, half + ["checkpoint.directory=\(run.file("auto").path)"], environment: here)
            try #require(chosen.status == 0, "\(chosen.errors)")
            let arithmetic = try #require(["f32", "bf16", "bf16-tiles"].first { chosen.errors.contains("run.compute=auto: \($0)\n") }, "\(chosen.errors)")

            let whole = ["run.compute=auto", "checkpoint.directory=\(run.file("auto").path)"]
            let resumed = try run.amend("train", whole, environment: old)
            try #require(resumed.status == 0, "\(resumed.errors)")
            #expect(resumed.errors.contains("run.compute=auto: \(arithmetic), as the run in"), "\(resumed.errors)")
            #expect(resumed.errors.contains("f32 would be faster here") == (arithmetic != "f32"), "\(resumed.errors)")
            let expected = try run.train(into: "named", ["run.compute=\(arithmetic)"], environment: here)
            #expect(try JSONDecoder().decode(Trained.self, from: Data(resumed.output.utf8)).digest == expected.digest)
            let scored = try run.amend("evaluate", whole, environment: old)
            #expect(scored.status == 0 && scored.errors.contains("run.compute=auto: \(arithmetic), as the run in"), "\(scored.errors)")
        }

        @Test func refusesKernelsThatTheProcessorLacks() throws {
            let result = try TinyRun().amend("train", environment: ["AMEND_KERNELS": "avx1024"])
            #expect(result.status == 2 && result.errors.contains("AMEND_KERNELS is 'avx1024'"), "\(result.status): \(result.errors)")
        }

        /// A digest that never changed would pass every comparison.
        @Test func tellsRunsApart() throws {
            let run = try TinyRun()
            let others =
                [[], ["run.seed=6"], ["editor.steps=3"], ["run.shards=6"], ["run.compute=bf16"], ["run.compute=bf16-tiles"], Self.batchMode]
                + ["malmen", "mend", "rledit"].map { ["editor.method=\($0)", "training.update_every=sequence"] }
                + [Self.noNetwork + ["training.update_every=sequence"]]
            let digests = try others.enumerated().map { index, settings in
                try run.train(into: "\(index)", settings).digest
            }
            #expect(Set(digests).count == digests.count, "\(digests)")
        }

        /// Gives up the bits for speed, not the numbers.
        @Test func mayTakeSumsInAnyOrder() throws {
            let run = try TinyRun()
            let ordered = try run.train(into: "ordered"), fast = try run.train(ranks: 3, into: "fast", ["run.reduction=fast"])
            #expect(fast.batches == ordered.batches && fast.updates == ordered.updates)
            let loss = try #require(fast.loss), expected = try #require(ordered.loss)
            #expect(abs(loss - expected) < 1e-3 * expected, "\(loss), in order \(expected)")
        }

        @Test(arguments: [[], batchMode]) func evaluatesTheSameScores(mode: [String]) throws {
            let run = try TinyRun()
            _ = try run.train(ranks: 2, mode)
            let alone = try run.evaluate(mode)
            #expect(alone.protocol == "rome" && alone.edits == 2 * TinyFiles.editsPerBatch && alone.ranks == 1)
            #expect(alone.before != alone.after, "nothing was edited: \(alone)")
            for scores in [alone.before, alone.after] {
                #expect([scores.efficacy, scores.generalization, scores.specificity].allSatisfy { (0...100).contains($0) })
            }
            let job = try run.evaluate(ranks: 3, mode + ["run.threads=2"])
            #expect(job.ranks == 3)
            #expect(job.before == alone.before && job.after == alone.after, "\(job) on 3 ranks, \(alone) on one")
            #expect(job.single == alone.single && alone.single?.edits == alone.edits, "\(job) on 3 ranks, \(alone) on one")
            #expect(alone.drift.divergence > 0 && alone.drift.tokensKept < 100, "nothing drifted: \(alone)")
            #expect(job.drift == alone.drift && job.exactMatch == alone.exactMatch && job.unchanged == alone.unchanged, "\(job) on 3 ranks, \(alone) on one")
        }
    }
}
