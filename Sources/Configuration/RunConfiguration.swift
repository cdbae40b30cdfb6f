import Editing
import LinearAlgebra
import Settings

/// Everything that a run is told: immutable, complete (defaults filled in) and validated. A section's values are read by the names of its settings:
/// `configuration.data.editsPerBatch`.
///
/// There is no public initialiser from parts: a value of this type has passed every check.
package struct RunConfiguration: Sendable {
    package let model: Section<ModelSettings>
    package let editor: Section<EditorSettings>
    package let data: Section<DataSettings>
    /// `data.train` and `data.evaluation`, where they are given.
    let train: Section<SplitSettings>?
    let evaluated: Section<SplitSettings>?
    package let training: Section<TrainingSettings>
    package let evaluation: Section<EvaluationSettings>
    package let checkpoint: Section<CheckpointSettings>
    package let run: Section<JobSettings>
    /// The file that the configuration came from, as it was named; for messages. Not part of equality.
    package let source: String

    /// Reads and validates a configuration file.
    ///
    /// - Parameters:
    ///   - path: The file, at most 1 MiB of UTF-8. Paths inside it are relative to the working directory, not to it.
    ///   - overrides: `key.path=value`, applied in order before validation; the last one for a key holds. A value is a
    ///     number or text as it stands; one that begins with `[`, `"` or `'` is read as YAML.
    /// - Throws: `ConfigurationError`, for anything that is wrong with either.
    package static func load(path: String, overrides: [String] = []) throws -> RunConfiguration {
        try RunConfiguration(Written.file(path, overrides: overrides), source: path)
    }

    /// As `load`, from text; `source` names it in messages, and its last component the default run directory.
    package init(text: String, source: String, overrides: [String] = []) throws {
        try self.init(Written.text(text, source: source, overrides: overrides), source: source)
    }

    /// As a run wrote it down, perhaps when its method had settings that it has no longer.
    package init(recorded text: String, source: String, overrides: [String] = []) throws {
        try self.init(Written.text(text, source: source, overrides: overrides), source: source, isRecorded: true)
    }

    /// The same configuration with another arithmetic.
    package func computing(in arithmetic: Arithmetic) throws -> RunConfiguration {
        try RunConfiguration(text: canonicalText, source: source, overrides: ["run.compute=\(arithmetic.rawValue)"])
    }

    package var method: EditingMethod { editor.method }

    /// Of the method, in the configuration's mode.
    package var plan: EditingMethod.Plan {
        guard let plan = method.plans[editor.mode] else { preconditionFailure("a mode that \(method.name) does not have") }
        return plan
    }

    /// The training data. Throws where the configuration has none; `command` is named as what needs it.
    package func trainingSplit(neededBy command: String) throws -> Section<SplitSettings> { try split(train, "data.train.path", command) }

    /// The evaluation data. Throws where the configuration has none; `command` is named as what needs it.
    package func evaluationSplit(neededBy command: String) throws -> Section<SplitSettings> { try split(evaluated, "data.evaluation.path", command) }

    private func split(_ split: Section<SplitSettings>?, _ keyPath: String, _ command: String) throws -> Section<SplitSettings> {
        guard let split else { throw ConfigurationError.missing(keyPath, neededBy: command, in: source) }
        return split
    }
}

// MARK: - Reading

extension RunConfiguration {
    private init(_ written: Written, source: String, isRecorded: Bool = false) throws {
        let root = try SectionReader(written, keys: Self.sections, source: source)
        func section(_ name: String) throws -> SectionReader { try root.section(name, keys: Self.keys(of: name)) }
        let data = try section("data"), editor = try section("editor"), training = try section("training"), evaluation = try section("evaluation")
        let splitKeys = Self.keys(of: "data.train")
        let train = try data.section("train", keys: splitKeys), evaluated = try data.section("evaluation", keys: splitKeys)
        // All sections before any value: a misspelt key is the likelier cause where one seems to be missing.
        try root.refuseKeys(except: Self.sections, elsewhere: Self.home)
        for name in Self.sections where name != "editor" { try section(name).refuseKeys(except: Self.keys(of: name), elsewhere: Self.home) }
        for split in [train, evaluated] { try split.refuseKeys(except: splitKeys) }

        self.source = source
        self.editor = try Self.editor(editor, isRecorded: isRecorded)
        model = try Section(ModelSettings(), section("model"))
        self.data = try Section(DataSettings(), data)
        self.train = train.isGiven ? try Section(SplitSettings(), train) : nil
        self.evaluated = evaluated.isGiven ? try Section(SplitSettings(), evaluated) : nil
        self.training = try Section(TrainingSettings(), training)
        self.evaluation = try Section(EvaluationSettings(self.data), evaluation)
        checkpoint = try Section(CheckpointSettings(source: source), section("checkpoint"))
        run = try Section(JobSettings(), section("run"))

        let rank = self.editor.rank, steps = self.editor.steps
        if plan.hasNetworkPerStep, rank < steps {
            throw editor.error(
                "rank",
                "step i has a network of rank / (i + 1), at least 1; for the last of \(steps) steps that is \(rank) / \(steps) = 0. "
                    + "Expected a rank of at least \(steps), the number of editor.steps, found \(rank)")
        }
        if case .step = plan.schedule, self.training.updateEvery != nil {
            throw training.error("update_every", "in batch mode every step of every batch is an update; leave it out")
        }
        if self.training.patience > 0, self.training.validationEdits == 0 {
            throw training.error("patience", "nothing is validated; expected training.validation_edits beside it, of at least 1, found 0")
        }
        try training.checkEdits(
            "passes",
            [("data.edits_per_batch", self.data.editsPerBatch), ("data.batches", self.data.batches), ("training.passes", self.training.passes)])
        try evaluation.checkEdits(
            "batches", [("evaluation.edits_per_batch", self.evaluation.editsPerBatch), ("evaluation.batches", self.evaluation.batches)])
    }

    /// The method decides which settings there are; what a run wrote down may have those of other methods too.
    private static func editor(_ reader: SectionReader, isRecorded: Bool) throws -> Section<EditorSettings> {
        let method = try reader.value(of: EditorSettings.method), mode = try reader.value(of: EditorSettings.mode(of: method))
        let settings = EditorSettings(method, mode)
        let names = settings.settings.map(\.name), others = Set(keys(of: "editor")).subtracting(names)
        try (isRecorded ? reader.dropping(others.contains) : reader).refuseKeys(except: names) { key in
            guard others.contains(key) else { return home(of: key) }
            let owners = EditorSettings.owners(of: key)
            if owners.contains(method.name) { return "\(method.name) has it in its other mode alone" }
            return "\(method.name) has no such setting (null takes it out); \(owners.joined(separator: ", ")) \(owners.count == 1 ? "has" : "have")"
        }
        return try Section(settings, reader)
    }
}

extension SectionReader {
    /// A run may not have more edits than Double (and so JSON) counts exactly, 2⁵³.
    fileprivate func checkEdits(_ key: String, _ factors: [(name: String, value: Int)]) throws {
        var product = 1
        for factor in factors {
            let (next, overflow) = product.multipliedReportingOverflow(by: factor.value)
            guard !overflow, next <= 1 << 53 else {
                let names = factors.map(\.name).joined(separator: " × "), values = factors.map { "\($0.value)" }.joined(separator: " × ")
                throw error(key, "expected at most 2^53 edits, found \(names) = \(values)")
            }
            product = next
        }
    }
}

// MARK: - Text and identity

extension RunConfiguration: Equatable {
    package static func == (a: RunConfiguration, b: RunConfiguration) -> Bool { a.canonicalText == b.canonicalText }

    /// The whole configuration, defaults filled in: one text for one meaning. Comments, order, spelling of numbers and overrides leave no trace in it.
    package var canonicalText: String { canonical { _, _ in true }.text }

    /// The settings that determine what training computes, as `canonicalText` writes them. What the model and the records are is left to digests of
    /// their content: files may move.
    package var trainingIdentity: String { canonical { $0 != .mayChange && !($0.goesWithoutSaying && $1) }.text }

    private func canonical(_ isWanted: (SettingIdentity, _ isDefault: Bool) -> Bool) -> CanonicalValue {
        func section(_ values: any AnySection, _ parts: [String: (any AnySection)?] = [:]) -> CanonicalValue? {
            guard case .section(let own) = values.canonical(isWanted) else { return nil }
            let nested = parts.compactMapValues { $0.flatMap { section($0) } }, entries = own.merging(nested) { $1 }
            return entries.isEmpty ? nil : .section(entries)
        }
        let sections: [String: CanonicalValue?] = [
            "model": section(model), "editor": section(editor), "data": section(data, ["train": train, "evaluation": evaluated]),
            "training": section(training), "evaluation": section(evaluation), "checkpoint": section(checkpoint), "run": section(run),
        ]
        return .section(sections.compactMapValues { $0 })
    }

    /// What a user must undo to continue a run whose identity was `other`: "editor.steps: 2 there, 3 here", one for each setting that differs, of those
    /// that say what an editor is or of all. Throws where `other` is no text that `trainingIdentity` could have given.
    package func trainingDifferences(from other: String, ofEditor: Bool = false) throws -> [String] {
        let there = try CanonicalValue.leaves(of: other, name: "training identity")
        let here = try CanonicalValue.leaves(of: trainingIdentity, name: "training identity")
        let own = ownSettings, known = Set(Self.reference.flatMap { section, settings in settings.map { "\(section).\($0.name)" } })
        return Set(there.keys).union(here.keys).sorted().filter { key in
            let setting = String(key.prefix { $0 != "[" })
            guard there[key] != here[key] else { return false }
            // A setting that other methods have is no difference, one that nobody knows is.
            guard let identity = own[setting]?.identity else { return !ofEditor && !known.contains(setting) }
            return ofEditor ? identity.isOfEditor : identity != .mayChange
        }.map { key in
            // An identity leaves out defaults that go without saying.
            let absent = own[key].flatMap { $0.identity.goesWithoutSaying ? $0.defaultText : nil } ?? "not set"
            return "\(key): \(there[key] ?? absent) there, \(here[key] ?? absent) here"
        }
    }

    /// Every setting that this configuration has, by its full key.
    private var ownSettings: [String: any AnySetting] {
        let sections: [(String, any AnySection)] = [
            ("model", model), ("editor", editor), ("data", data), ("training", training), ("evaluation", evaluation), ("checkpoint", checkpoint), ("run", run),
        ]
        return Dictionary(uniqueKeysWithValues: sections.flatMap { section, values in values.settings.map { ("\(section).\($0.name)", $0) } })
    }
}
