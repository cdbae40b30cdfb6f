import Configuration
import Foundation
import Settings
import Testing

/// What `body` throws, as the one line that a user would see.
func message(_ body: () throws -> some Any) -> String {
    do {
        return "no error, but \(try body())"
    } catch let error as ConfigurationError {
        return error.description
    } catch {
        return "not a ConfigurationError: \(error)"
    }
}

@Suite struct ErrorTests {
    @Test(arguments: [
        (
            "editor:\n  modules: [a]\n  steps:   two\n",
            "editor.steps: expected a whole number from 1 to 1024, found 'two' (quickstart.yaml:3:12)"
        ),
        (
            "editor:\n  stepz: 2\n",
            "editor.stepz: there is no such key; did you mean 'steps'? The keys of editor are method, mode, steps, modules, "
                + "inner_learning_rate, positions, prefixes, rephrasings, answer_end, loss_bound, halvings, step_bound, normalizer, contrast_weight, contrast_subjects, contrast_positions, background_weight, background_share, earlier_weight, rank, blocks, "
                + "initialization, meta_learning_rate, scalar_learning_rate, max_gradient_norm, regularization, window_decay, window (quickstart.yaml:2:3)"
        ),
        (
            "steps: 2\n",
            "steps: there is no such key; did you mean 'editor.steps'? The sections are model, editor, data, training, "
                + "evaluation, checkpoint, run (quickstart.yaml:1:1)"
        ),
        (
            "run: {Shards: 2}\n",
            "run.Shards: there is no such key; did you mean 'shards'? The keys of run are seed, shards, reduction, compute, threads "
                + "(quickstart.yaml:1:7)"
        ),
        ("run:\n  seed: 1\n  seed: 2\n", "seed: given more than once in its section (quickstart.yaml:2:3)"),
        ("run:\n  seed: 1\n  \"seed\": 2\n", "seed: given more than once in its section (quickstart.yaml:2:3)"),
        (
            "editor: {method: emsedt}\n",
            "editor.method: expected one of emsedit, malmen, mend, rledit, ultraedit, locft-bf, crispedit, memit, alphaedit, found 'emsedt'; did you mean 'emsedit'? "
                + "(quickstart.yaml:1:18)"
        ),
        ("editor: 5\n", "editor: expected a section with the keys method, mode"),
        ("- a\n", "configuration: expected a section with the keys model, editor"),
        (
            "editor: {rank: 4}\n",
            "editor.modules: expected a list of module names, such as [\"model.layers.11-15.mlp.gate_proj\"], found nothing; there is no default "
                + "(quickstart.yaml:1:9)"
        ),
        (
            "",
            "editor.modules: expected a list of module names, such as [\"model.layers.11-15.mlp.gate_proj\"], found "
                + "nothing; there is no default (quickstart.yaml)"
        ),
        (
            "editor: {modules: []}\n",
            "editor.modules: expected a list of at least one module name, such as [a, b], found an empty list"
        ),
        (
            "editor: {modules: a}\n",
            "editor.modules: expected a list of at least one module name, such as [a, b], found 'a'"
        ),
        (
            "editor: {modules: [a, b, a]}\n",
            "editor.modules[2]: expected no module name twice, found 'a' (quickstart.yaml:1:26)"
        ),
        ("editor: {modules: [a, \"\"]}\n", "editor.modules[1]: expected a module name, found the text \"\""),
        ("editor: {modules: [a, [b]]}\n", "editor.modules[1]: expected a module name, found a list"),
        ("editor: {modules: [\"a\\0b\"]}\n", "editor.modules[0]: expected a module name without control characters"),
        (
            "editor: {modules: [a], steps: 3, rank: 2}\n",
            "editor.rank: step i has a network of rank / (i + 1), at least 1; for the last of 3 steps that is 2 / 3 = 0. "
                + "Expected a rank of at least 3, the number of editor.steps, found 2 (quickstart.yaml:1:40)"
        ),
        (
            "editor: {modules: [a]}\nmodel: {path: }\n",
            "model.path: expected a path of a model (a .gguf file or a directory), found nothing (quickstart.yaml:2:15)"
        ),
        ("run: {seed: 0o17}\neditor: {modules: [a]}\n", "found '0o17'; write it in decimal, without leading zeros (quickstart.yaml:1:13)"),
        ("run: {seed: 017}\neditor: {modules: [a]}\n", "found '017'; write it in decimal, without leading zeros (quickstart.yaml:1:13)"),
        ("run: {seed: \"1\"}\neditor: {modules: [a]}\n", "found the text \"1\" (quickstart.yaml:1:13)"),
        ("run: {seed: !!int 1}\n", "run.seed: YAML tags are not supported, found 'tag:yaml.org,2002:int'"),
        ("run: {seed: 1\n", "quickstart.yaml:2:1: not valid YAML: while parsing a flow mapping, did not find expected"),
        ("run: {seed: 1}\n---\nrun: {}\n", "quickstart.yaml:2:1: not valid YAML: "),
        ("run:\n\tseed: 1\n", "quickstart.yaml:2:1: not valid YAML: "),
        ("run: &r {seed: 1}\nmodel: *r\n", "quickstart.yaml:2: anchors and aliases (&r, *r) are not supported"),
        ("run: \u{1}\n", "quickstart.yaml:1: not valid YAML: control characters are not allowed"),
        ("? [a]\n: 1\n", "quickstart.yaml:1:3: expected a key, found a list or section in its place"),
    ])
    func saysWhichKeyWhatWasExpectedWhatWasFoundAndWhere(text: String, expected: String) {
        let complete = text.contains("model:") ? text : "\(text)\(text.hasPrefix("- ") ? "" : "model: {path: m}\n")"
        let found = message { try configuration(text.contains("{seed: 1\n") ? text : complete) }
        #expect(found.contains(expected))
        #expect(!found.contains("\n"))
    }

    @Test(arguments: [
        "editor.steps=0", "editor.steps=1.5", "editor.steps=2.0", "editor.steps=1e3", "editor.steps=",
        "editor.steps=99999999999999999999999999", "editor.rank=0", "editor.blocks=0", "editor.blocks=-1",
        "editor.inner_learning_rate=0", "editor.inner_learning_rate=-1", "editor.inner_learning_rate=nan",
        "editor.meta_learning_rate=.inf", "editor.meta_learning_rate=inf", "editor.meta_learning_rate=1e999",
        "editor.meta_learning_rate=1e-60", "editor.meta_learning_rate=0x1p3", "editor.meta_learning_rate=1e",
        "editor.max_gradient_norm=0", "editor.max_gradient_norm=1__0", "editor.regularization=-0.1",
        "editor.locality_weight=-1", "editor.time_decay=1.01", "editor.time_decay=-0.01", "editor.back_depth=0",
        "data.edits_per_batch=0", "data.batches=0", "data.micro_batch=0", "data.batches=2147483648",
        "data.train.format=zsre", "data.train.path=", "training.passes=0", "training.update_every=0",
        "training.update_every=sequences", "training.clip=both", "training.averaging=1", "editor.background_share=1", "training.old_answer_weight=-1",
        "evaluation.in_context=no", "evaluation.batches=0", "evaluation.edits_per_batch=0",
        "evaluation.normalizer=off", "checkpoint.every=0", "checkpoint.keep=0", "checkpoint.keep_every=-1",
        "checkpoint.directory=", "run.seed=-1", "run.seed=9223372036854775808", "run.shards=0", "run.shards=4097",
        "run.reduction=exact", "run.threads=0", "run.threads=4097", "run.threads=1.0", "model.path=null",
    ])
    func impossibleValuesAreRefusedByKey(override: String) {
        let key = override.prefix { $0 != "=" }
        let method = ["editor.locality_weight", "editor.time_decay", "editor.back_depth"].contains(key) ? "rledit" : "emsedit"
        let found = message { try configuration(minimal, "editor.method=\(method)", override) }
        let expected = key == "data.train.format" ? "data.train.path: " : "\(key): "
        #expect(found.hasPrefix(expected), "\(override) gave: \(found)")
        #expect(found.contains("expected"), "\(override) gave: \(found)")
    }

    @Test func productsThatCannotBeCountedPrintTheirFactors() {
        let found = message {
            try configuration(minimal, "data.batches=2147483647", "data.edits_per_batch=2147483647", "training.passes=3")
        }
        #expect(found.contains("data.edits_per_batch × data.batches × training.passes = 2147483647 × 2147483647 × 3"))
        #expect(found.hasSuffix("(command line: training.passes=3)"))
    }

    @Test(arguments: [
        ("editor.steps", "command line: expected key.path=value, found 'editor.steps'"),
        ("=3", "command line: =3: expected a key path such as editor.steps before the equals sign"),
        ("editor..steps=3", "command line: editor..steps=3: expected a key path"),
        (
            "editor.steps=two",
            "editor.steps: expected a whole number from 1 to 1024, found 'two' (command line: editor.steps=two)"
        ),
        ("editor.setps=2", "editor.setps: there is no such key; did you mean 'steps'?"),
        ("model.path.x=2", "'x' is given under a key that is no section"),
        ("editor.steps.x.y=2", "editor.steps: expected a whole number from 1 to 1024, found a section"),
        ("editor={steps: 2}", "give each key of a section by itself"),
        ("editor.modules=[a, b", "not valid YAML"),
        ("editor.modules=[a, a]", "editor.modules[1]: expected no module name twice, found 'a' (command line: editor.mod"),
    ])
    func overridesAreBlamedOnTheCommandLine(override: String, expected: String) {
        let found = message { try configuration(minimal, override) }
        #expect(found.contains(expected), "\(override) gave: \(found)")
        #expect(found.contains("command line"))
    }

    @Test func filesThatCannotBeRead() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("a.yaml")
        #expect(message { try RunConfiguration.load(path: file.path) } == "\(file.path): there is no such file; expected a configuration")
        #expect(message { try RunConfiguration.load(path: directory.path) }.hasSuffix("is a directory; expected a configuration"))
        try Data([0x6D, 0xFF, 0xFE]).write(to: file)
        #expect(message { try RunConfiguration.load(path: file.path) }.contains("expected UTF-8 text"))
        try Data(repeating: UInt8(ascii: "#"), count: 1 << 20 + 1).write(to: file)
        #expect(message { try RunConfiguration.load(path: file.path) }.contains("larger than 1048576 bytes"))
        try Data("\u{FEFF}\(minimal)".utf8).write(to: file)
        #expect(try RunConfiguration.load(path: file.path).model.path == "m")
    }
}
