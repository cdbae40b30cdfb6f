// From settings to typed sections: the defaults and the checks of every key.

extension RunConfiguration {
    init(_ root: Setting, source: String) throws {
        let reader = try SectionReader(root, keyPath: "", keys: Schema.sections, in: .file(source))
        // All sections before any value: a misspelt key is the likelier cause where one seems to be missing.
        let sections = try (
            model: reader.section("model", keys: Schema.model), editor: reader.section("editor", keys: Schema.editor),
            data: reader.section("data", keys: Schema.data), training: reader.section("training", keys: Schema.training),
            evaluation: reader.section("evaluation", keys: Schema.evaluation),
            checkpoint: reader.section("checkpoint", keys: Schema.checkpoint), run: reader.section("run", keys: Schema.run)
        )
        self.source = source
        model = try Model(sections.model)
        editor = try Editor(sections.editor)
        data = try Data(sections.data)
        training = try Training(sections.training, data)
        evaluation = try Evaluation(sections.evaluation, data)
        checkpoint = try Checkpoint(sections.checkpoint, source: source)
        run = try Run(sections.run)
    }
}

extension RunConfiguration.Model {
    fileprivate init(_ section: SectionReader) throws {
        let expected = "path of a model (a .gguf file or a directory)"
        guard let path = try section.text("path", expected: expected) else {
            throw section.error("path", "expected a \(expected), found nothing; there is no default")
        }
        self.path = path
        weights = try section.choice("weights") ?? .auto
    }
}

extension RunConfiguration.Editor {
    fileprivate init(_ section: SectionReader) throws {
        method = try section.choice("method") ?? .emsedit
        mode = try section.choice("mode") ?? ([.malmen, .mend].contains(method) ? .batch : .sequential)
        steps = try section.wholeNumber("steps", in: 1...1024) ?? 2
        guard let modules = try section.texts("modules", expected: "module name") else {
            throw section.error(
                "modules", "expected a list of modules to edit, such as [\"model.layers.11-15.mlp.gate_proj\"], found nothing")
        }
        self.modules = modules
        rank = try section.wholeNumber("rank", in: 1...1_048_576) ?? 1024
        blocks = try section.wholeNumber("blocks", in: 1...1024) ?? 4
        innerLearningRate = try section.positive("inner_learning_rate") ?? (method == .ultraedit ? 1e-6 : 1e-3)
        metaLearningRate = try section.positive("meta_learning_rate") ?? 1e-5
        regularization = try section.notNegative("regularization") ?? (mode == .sequential ? 0.25 : 0.5)
        maxGradientNorm = try section.positive("max_gradient_norm") ?? 1
        localityWeight = try section.notNegative("locality_weight") ?? 0.6
        timeDecay = try section.number("time_decay", expected: "a number from 0 to 1") { (0...1).contains($0) } ?? 0.95
        backDepth = try section.wholeNumber("back_depth", in: 1...(.max)) ?? 10
        try checkRank(section)
    }

    private func checkRank(_ section: SectionReader) throws {
        guard hasNetworkPerStep, rank < steps else { return }
        throw section.error(
            "rank",
            "step i has a network of rank / (i + 1), at least 1; for the last of \(steps) steps that is "
                + "\(rank) / \(steps) = 0. Expected a rank of at least \(steps), the number of editor.steps, found \(rank)")
    }
}

extension RunConfiguration.Split {
    /// Nil where the section is not given.
    fileprivate static func read(_ section: SectionReader) throws -> RunConfiguration.Split? {
        guard section.isGiven else { return nil }
        let format: RunConfiguration.DataFormat = try section.choice("format") ?? .counterfact
        guard let path = try section.text("path", expected: "path of a data file") else {
            throw section.error("path", "expected a path of a data file, found nothing")
        }
        return RunConfiguration.Split(path: path, format: format)
    }
}

extension RunConfiguration.Data {
    fileprivate init(_ section: SectionReader) throws {
        train = try .read(section.section("train", keys: Schema.split))
        evaluation = try .read(section.section("evaluation", keys: Schema.split))
        editsPerBatch = try section.wholeNumber("edits_per_batch", in: 1...(.max)) ?? 20
        batches = try section.wholeNumber("batches", in: 1...(.max)) ?? 10
        microBatch = try section.wholeNumber("micro_batch", in: 1...(.max)) ?? 4
    }
}

extension RunConfiguration.Training {
    fileprivate init(_ section: SectionReader, _ data: RunConfiguration.Data) throws {
        passes = try section.wholeNumber("passes", in: 1...(.max)) ?? 1
        switch try section.word("sequence", orCountUpTo: Int(Int32.max), "update_every", of: "batches") {
        case .word, nil: updateEvery = .sequence
        case .count(let count): updateEvery = .batches(count)
        }
        clip = try section.choice("clip") ?? .accumulated
        try checkEditCount(
            section, "passes",
            [("data.edits_per_batch", data.editsPerBatch), ("data.batches", data.batches), ("training.passes", passes)])
    }
}

extension RunConfiguration.Evaluation {
    fileprivate init(_ section: SectionReader, _ data: RunConfiguration.Data) throws {
        batches = try section.wholeNumber("batches", in: 1...(.max)) ?? data.batches
        editsPerBatch = try section.wholeNumber("edits_per_batch", in: 1...(.max)) ?? data.editsPerBatch
        normalizer = try section.choice("normalizer") ?? .online
        try checkEditCount(
            section, "batches",
            [("evaluation.edits_per_batch", editsPerBatch), ("evaluation.batches", batches)])
    }
}

extension RunConfiguration.Checkpoint {
    fileprivate init(_ section: SectionReader, source: String) throws {
        directory = try section.text("directory", expected: "path of a directory") ?? Self.defaultDirectory(source)
        every = try section.wholeNumber("every", in: 1...(.max)) ?? 10
        keep = try section.wholeNumber("keep", in: 1...(.max)) ?? 3
        keepEvery = try section.wholeNumber("keep_every", in: 0...(.max)) ?? 0
    }

    private static func defaultDirectory(_ source: String) -> String {
        let name = source.split(separator: "/").last ?? ""
        let stem = name.lastIndex(of: ".").map { name[..<$0] } ?? name
        let isUsable = stem.contains { $0 != "." } && stem == abbreviated(String(stem))
        return "runs/\(isUsable ? stem : "run")"
    }
}

extension RunConfiguration.Run {
    fileprivate init(_ section: SectionReader) throws {
        seed = UInt64(try section.wholeNumber("seed", in: 0...Int.max, isWide: true) ?? 1)
        shards = try section.wholeNumber("shards", in: 1...4096) ?? 8
        reduction = try section.choice("reduction") ?? .ordered
        compute = try section.choice("compute") ?? .f32
        switch try section.word("auto", orCountUpTo: 4096, "threads", of: "threads") {
        case .word, nil: threads = .auto
        case .count(let count): threads = .count(count)
        }
    }
}

extension SectionReader {
    /// A positive number that is neither zero nor infinite in single precision, in which the arithmetic is done.
    fileprivate func positive(_ key: String) throws -> Double? {
        try number(key, expected: "a positive number (from 1.2e-38 to 3.4e+38)") { $0 > 0 && Float($0).isNormal }
    }

    fileprivate func notNegative(_ key: String) throws -> Double? {
        try number(key, expected: "a number of at least 0 (and at most 3.4e+38)") { $0 >= 0 && Float($0).isFinite }
    }
}

/// A run may not have more edits than Double (and so JSON) counts exactly, 2⁵³.
private func checkEditCount(_ section: SectionReader, _ key: String, _ factors: [(name: String, value: Int)]) throws {
    var product = 1
    for factor in factors {
        let (next, overflow) = product.multipliedReportingOverflow(by: factor.value)
        guard !overflow, next <= 1 << 53 else {
            let names = factors.map(\.name).joined(separator: " × ")
            let values = factors.map { "\($0.value)" }.joined(separator: " × ")
            throw section.error(key, "expected at most 2^53 edits, found \(names) = \(values)")
        }
        product = next
    }
}
