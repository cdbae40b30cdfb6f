import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// What a user gets wrong is answered with one line that names the place, and with the exit status for it.
    @Suite struct MistakeTests {
        struct Mistake: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let status: Int32
            /// What the message must have, the place first.
            let expected: [String]
            var command = "train"
            var settings: [String] = []
            var isTrained = false
            var prepare: @Sendable (TinyRun) throws -> Void = { _ in }
        }

        @Test(arguments: Mistake.inConfiguration + Mistake.inModels + Mistake.inTokenizers + Mistake.inData + Mistake.inCheckpoints)
        func saysWhatIsWrong(mistake: Mistake) throws {
            let run = try TinyRun()
            if mistake.isTrained { _ = try run.train(["training.passes=1"]) }
            try mistake.prepare(run)
            let settings = mistake.settings.map { $0.replacing("RUN", with: run.directory.path) }
            let result = try run.amend(mistake.command, settings)
            #expect(result.status == mistake.status, "\(result)")
            #expect(result.output.isEmpty)
            #expect(result.problems.count == 1, "\(result.errors)")
            let line = result.problems.first ?? ""
            for part in mistake.expected.map({ $0.replacing("RUN", with: run.directory.path) }) {
                #expect(line.contains(part), "no '\(part)' in '\(line)'")
            }
            #expect(line.hasPrefix(mistake.expected[0].replacing("RUN", with: run.directory.path)), "'\(line)'")
            for sign in ["Fatal error", "Error Domain", "NSError", "Optional(", "0x", "DecodingError"] {
                #expect(!line.contains(sign), "'\(line)'")
            }
        }

        /// The real model cut short, in its metadata and in its tensors.
        @Test(arguments: [30_000, 3_000_000]) func saysThatAModelIsCutShort(bytes: Int) throws {
            let run = try TinyRun(), short = run.file("short.gguf")
            let file = try FileHandle(forReadingFrom: SmolLM2.file())
            try file.read(upToCount: bytes)?.write(to: short)
            for arguments in [["train", run.file("run.yaml").path, "model.path=\(short.path)"], ["inspect", short.path]] {
                let result = try run.run(arguments: arguments)
                #expect(result.status == 3 && result.output.isEmpty && result.problems.count == 1, "\(result)")
                #expect(result.errors.hasPrefix(short.path + ": "), "\(result.errors)")
            }
        }

        /// Ranks that fail alike leave the word to rank 0.
        @Test(
            arguments: [
                ("run.shards=2", 2, "rank 0/3: run.shards: 2 virtual shards for 3 ranks"),
                ("model.path=/nowhere/model", 3, "rank 0/3: /nowhere/model: "),
                ("data.train.path=/nowhere.json", 3, "rank 0/3: /nowhere.json: "),
            ] as [(String, Int32, String)])
        func saysItOnceUnderMPI(setting: String, status: Int32, expected: String) throws {
            let run = try TinyRun()
            let result = try run.amend("train", ranks: 3, [setting])
            #expect(result.status == status && result.output.isEmpty, "\(result)")
            let spoken = result.errorLines.filter { $0.hasPrefix("rank ") }
            #expect(spoken.count == 1 && spoken[0].hasPrefix(expected), "\(result.errors)")
        }

        /// What is wrong with the configuration shows before MPI starts: mpirun ends the job at the first rank's status.
        @Test func checksTheConfigurationBeforeMPIStarts() throws {
            let run = try TinyRun()
            let result = try run.amend("train", ranks: 3, ["editor.rnak=4"])
            #expect(result.status == 2 && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains("editor.rnak: there is no such key"), "\(result.errors)")
        }

        // MARK: Usage

        @Test(arguments: [["frobnicate"], ["train"], ["train", "RUN/run.yaml", "--frob"], ["selftest"], ["inspect"], ["doctor", "extra"]])
        func refusesWrongUsage(arguments: [String]) throws {
            let run = try TinyRun()
            let result = try run.run(arguments: arguments.map { $0.replacing("RUN", with: run.directory.path) })
            #expect(result.status == 2 && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains("Usage: amend"), "\(result.errors)")
        }

        @Test(arguments: [
            ["--help"], ["train", "--help"], ["evaluate", "-h"], ["inspect", "--help"], ["selftest", "--help"], ["doctor", "--help"],
            ["help", "train"],
        ])
        func helps(arguments: [String]) throws {
            let result = try run(program: builtProgram("amend"), arguments: arguments)
            #expect(result.status == 0 && result.errors.isEmpty && result.output.contains("USAGE: amend"), "\(result)")
        }
    }
}

private typealias Mistake = ProgramTests.MistakeTests.Mistake

extension ProgramTests.MistakeTests.Mistake {
    static let inConfiguration = [
        Mistake(testDescription: "unknown key", status: 2, expected: ["editor.rnak: ", "did you mean 'rank'?"], settings: ["editor.rnak=4"]),
        Mistake(testDescription: "unknown section", status: 2, expected: ["editr", "did you mean 'editor'?"], settings: ["editr.rank=4"]),
        Mistake(
            testDescription: "wrong type", status: 2, expected: ["editor.rank: ", "expected a whole number", "'many'"],
            settings: ["editor.rank=many"]),
        Mistake(
            testDescription: "impossible value", status: 2, expected: ["training.passes: ", "at least 1", "'0'"],
            settings: ["training.passes=0"]),
        Mistake(
            testDescription: "impossible together", status: 2, expected: ["editor.rank: ", "editor.steps"],
            settings: ["editor.rank=2", "editor.steps=3"]),
        Mistake(testDescription: "no override", status: 2, expected: ["command line: ", "key.path=value"], settings: ["editor.rank"]),
        Mistake(
            testDescription: "unknown module", status: 2,
            expected: ["editor.modules: ", "model.layers.7.mlp.gate_proj", "model.layers.0-3.mlp.gate_proj", "model.layers.0-3.mlp.down_proj"],
            settings: ["editor.modules=[model.layers.7.mlp.gate_proj]"]),
        Mistake(
            testDescription: "module named twice", status: 2, expected: ["editor.modules: ", "twice"],
            settings: ["editor.modules=[model.layers.1.mlp.gate_proj, model.layers.0-1.mlp.gate_proj]"]),
        Mistake(
            testDescription: "a mode that a method does not have", status: 2, expected: ["editor.mode: expected batch, the only one of mend, found 'sequential'"],
            settings: ["editor.method=mend", "editor.mode=sequential"]),
        Mistake(
            testDescription: "a mode that a method does not have, before the model", status: 2,
            expected: ["editor.mode: expected sequential, the only one of rledit, found 'batch'"],
            settings: ["editor.method=rledit", "editor.mode=batch", "training.update_every=sequence", "model.path=/nowhere/model"]),
        Mistake(
            testDescription: "a format that is not built, before the model", status: 2,
            expected: ["data.train.format: ", "expected one of mquake, counterfact, zsre, fever, rippleedits, edits, auto, found 'squad'"],
            settings: ["data.train.format=squad", "model.path=/nowhere/model"]),
        Mistake(
            testDescription: "a format that is not built, to evaluate", status: 2,
            expected: ["data.evaluation.format: ", "expected one of mquake, counterfact, zsre, fever, rippleedits, edits, auto, found 'popqa'"], command: "evaluate",
            settings: ["data.evaluation.format=popqa", "model.path=/nowhere/model"]),
        Mistake(testDescription: "no YAML", status: 2, expected: ["RUN/run.yaml:"]) {
            try $0.file("run.yaml").change { $0.append(Data("\n  editor: [".utf8)) }
        },
        Mistake(testDescription: "unknown key in the file", status: 2, expected: ["training.epochs: ", "RUN/run.yaml:"]) { run in
            try run.file("run.yaml").replace("update_every: 3", with: "epochs: 3")
        },
        Mistake(testDescription: "missing file", status: 2, expected: ["RUN/run.yaml: ", "no such file"]) {
            try FileManager.default.removeItem(at: $0.file("run.yaml"))
        },
    ]

    static let inModels = [
        Mistake(testDescription: "missing model", status: 3, expected: ["/nowhere/model: "], settings: ["model.path=/nowhere/model"]),
        Mistake(
            testDescription: "empty directory", status: 3, expected: ["RUN/empty: ", "config.json", ".gguf"],
            settings: ["model.path=RUN/empty"]
        ) {
            try FileManager.default.createDirectory(at: $0.file("empty"), withIntermediateDirectories: true)
        },
        Mistake(testDescription: "no weights", status: 3, expected: ["RUN/model: ", "model.safetensors"]) {
            try FileManager.default.removeItem(at: $0.file("model/model.safetensors"))
        },
        Mistake(testDescription: "truncated weights", status: 3, expected: ["RUN/model/model.safetensors: ", "truncated"]) {
            try $0.file("model/model.safetensors").change { $0.removeLast($0.count / 3) }
        },
        Mistake(testDescription: "flipped bit in the header", status: 3, expected: ["RUN/model"]) {
            try $0.file("model/model.safetensors").change { $0[12] ^= 0x40 }
        },
        Mistake(testDescription: "no GGUF", status: 3, expected: ["RUN/model.gguf: ", "GGUF"], settings: ["model.path=RUN/model.gguf"]) {
            try Data("hello".utf8).write(to: $0.file("model.gguf"))
        },
        Mistake(testDescription: "other sizes", status: 3, expected: ["RUN/model/model.safetensors: ", "[257, 32]", "[257, 48]"]) {
            try $0.file("model/config.json").replace("\"hidden_size\":32", with: "\"hidden_size\":48")
        },
        Mistake(testDescription: "more layers", status: 3, expected: ["RUN/model", "model.layers.4."]) {
            try $0.file("model/config.json").replace("\"num_hidden_layers\":4", with: "\"num_hidden_layers\":5")
        },
        Mistake(testDescription: "another family", status: 3, expected: ["RUN/model/config.json: ", "gpt9", "llama"]) {
            try $0.file("model/config.json").replace("\"llama\"", with: "\"gpt9\"")
        },
        Mistake(testDescription: "no JSON", status: 3, expected: ["RUN/model/config.json, line 1 column ", "is not JSON"]) {
            try $0.file("model/config.json").change { $0.removeLast(3) }
        },
    ]

    static let inTokenizers = [
        Mistake(testDescription: "no tokenizer", status: 3, expected: ["RUN/model/tokenizer.json: "]) {
            try FileManager.default.removeItem(at: $0.file("model/tokenizer.json"))
        },
        Mistake(
            testDescription: "a setting that would change tokens", status: 3,
            expected: ["RUN/model/tokenizer_config.json, split_special_tokens: ", "not supported"]
        ) { run in
            try writeJSON(["split_special_tokens": true], to: run.file("model/tokenizer_config.json"))
        },
        Mistake(testDescription: "truncated tokenizer", status: 3, expected: ["RUN/model/tokenizer.json"]) {
            try $0.file("model/tokenizer.json").change { $0.removeLast($0.count / 2) }
        },
        Mistake(testDescription: "flipped bit", status: 3, expected: ["RUN/model/tokenizer.json", "BPF"]) {
            try $0.file("model/tokenizer.json").replace("\"BPE\"", with: "\"BPF\"")
        },
        Mistake(testDescription: "flipped bit in an id", status: 3, expected: ["RUN/model/tokenizer.json"]) {
            try $0.file("model/tokenizer.json").replace("\"a\":65", with: "\"a\":64")
        },
        Mistake(testDescription: "more tokens than the model", status: 3, expected: ["RUN/train.json, record '", "token 299", "ends at 256"]) {
            try $0.file("model/tokenizer.json").replace("\"a\":65", with: "\"a\":299")
        },
    ]

    static let inData = [
        Mistake(testDescription: "missing data", status: 3, expected: ["RUN/none.json: "], settings: ["data.train.path=RUN/none.json"]),
        Mistake(testDescription: "truncated data", status: 3, expected: ["RUN/train.json, record 31", "cut short"]) {
            try $0.file("train.json").change { $0.removeLast($0.count / 2 + 20) }
        },
        Mistake(
            testDescription: "another format", status: 3, expected: ["RUN/train.json, record 1", "zsre", "counterfact"],
            settings: ["data.train.format=zsre"]),
        Mistake(testDescription: "key of the wrong type", status: 3, expected: ["RUN/train.json, record 3", "target_new"]) { run in
            var records: [[String: Any]] = TinyFiles.records(60, of: "s")
            records[2]["target_new"] = 7
            try writeJSON(records, to: run.file("train.json"))
        },
        Mistake(testDescription: "too few records", status: 3, expected: ["RUN/train.json: ", "60", "61"], settings: ["data.edits_per_batch=61"]),
        Mistake(testDescription: "prompt that is too long", status: 3, expected: ["RUN/train.json, record '", "128"]) { run in
            var records = TinyFiles.records(60, of: "s")
            for index in records.indices { records[index]["prompt"] = String(repeating: "x", count: 300) }
            try writeJSON(records, to: run.file("train.json"))
        },
        Mistake(
            testDescription: "one prompt that is too long", status: 3,
            expected: ["RUN/train.json, record 'b' (number 58), 'The color of s57 is xxxx", "of 326 tokens; at most 128"]
        ) { run in
            var records = TinyFiles.records(60, of: "s")
            records[57]["prompt"]! += " " + String(repeating: "x", count: 300)
            records[57]["case_id"] = "b"
            try writeJSON(records, to: run.file("train.json"))
        },
        Mistake(
            testDescription: "one answer that is too long to score", status: 3,
            expected: ["RUN/evaluation.json, record '3', 'The color of e2 is'", "at most 128"], command: "evaluate", isTrained: true
        ) { run in
            var records = TinyFiles.records(24, of: "e")
            records[2]["ground_truth"] = String(repeating: "x", count: 300)
            try writeJSON(records, to: run.file("evaluation.json"))
        },
        Mistake(testDescription: "a key given twice", status: 3, expected: ["RUN/train.json, record 1, line ", "the key 'subject' appears twice"]) { run in
            try run.file("train.json").change { $0.replaceSubrange(0..<2, with: Data("[{\"subject\": \"x\", ".utf8)) }
        },
        Mistake(testDescription: "a single record", status: 3, expected: ["RUN/train.json: has 1 record; ", "7"]) { run in
            try writeJSON(TinyFiles.records(1, of: "s"), to: run.file("train.json"))
        },
        Mistake(testDescription: "no data", status: 2, expected: ["data.train.path: ", "RUN/run.yaml"]) { run in
            try run.file("run.yaml").replace("  train: {path", with: "  # train: {path")
        },
        Mistake(
            testDescription: "too few to evaluate", status: 3, expected: ["RUN/evaluation.json: ", "24", "28"], command: "evaluate",
            settings: ["evaluation.batches=4"], isTrained: true),
    ]

    static let inCheckpoints = [
        Mistake(testDescription: "evaluation without a checkpoint", status: 3, expected: ["RUN/checkpoints: ", "train first"], command: "evaluate"),
        Mistake(
            testDescription: "evaluation with another model", status: 3, expected: ["RUN/checkpoints/step-00000004: ", "another model"],
            command: "evaluate", isTrained: true
        ) { try TinyModel(seed: 2).write(to: $0.file("model")) },
        Mistake(
            testDescription: "evaluation with another rank", status: 2, expected: ["editor: RUN/checkpoints/step-00000004 ", "editor.rank: 8 there, 4 here"],
            command: "evaluate", settings: ["editor.rank=4"], isTrained: true),
        Mistake(
            testDescription: "evaluation with fewer steps", status: 2, expected: ["editor: ", "editor.steps: 2 there, 1 here"],
            command: "evaluate", settings: ["editor.steps=1"], isTrained: true),
    ]
}

extension URL {
    /// Replaces text that a file must have.
    fileprivate func replace(_ old: String, with new: String) throws {
        let text = try String(contentsOf: self, encoding: .utf8)
        try #require(text.contains(old), "\(path) has no '\(old)'")
        try Data(text.replacing(old, with: new).utf8).write(to: self)
    }
}
