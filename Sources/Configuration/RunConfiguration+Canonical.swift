// One text for one meaning: every key with its value, defaults filled in, keys sorted, in YAML that reads back as the
// same configuration. Comments, order, spelling of numbers and overrides leave no trace in it.

extension RunConfiguration {
    /// The whole configuration. Two configurations are equal exactly if these texts are.
    public var canonicalText: String {
        CanonicalValue.section([
            "model": .section(["path": .text(model.path), "weights": .literal(model.weights.rawValue)]),
            "editor": editor.canonical,
            "data": data.canonical(withPaths: true),
            "training": training.canonical(withPasses: true),
            "evaluation": .section([
                "batches": .literal("\(evaluation.batches)"),
                "edits_per_batch": .literal("\(evaluation.editsPerBatch)"),
                "normalizer": .literal(evaluation.normalizer.rawValue),
            ]),
            "checkpoint": .section([
                "directory": .text(checkpoint.directory),
                "every": .literal("\(checkpoint.every)"),
                "keep": .literal("\(checkpoint.keep)"),
                "keep_every": .literal("\(checkpoint.keepEvery)"),
            ]),
            "run": run.canonical(withThreads: true),
        ]).lines.joined()
    }

    /// The sections that determine what training computes, as `canonicalText` writes them: `editor`, `data` without
    /// paths and the evaluation split, `training` without `passes` (a finished run may go on), and of `run` all but `threads`. What the model and
    /// the records are is left to digests of their content: files may move.
    public var trainingIdentity: String {
        CanonicalValue.section([
            "editor": editor.canonical,
            "data": data.canonical(withPaths: false),
            "training": training.canonical(withPasses: false),
            "run": run.canonical(withThreads: false),
        ]).lines.joined()
    }

    /// What a user must undo to continue a run whose identity was `other`: "editor.steps: 2 there, 3 here", one for
    /// each key that differs. Throws where `other` is no text that `trainingIdentity` could have given.
    public func trainingDifferences(from other: String) throws -> [String] {
        let there = try Self.leaves(other)
        let here = try Self.leaves(trainingIdentity)
        return Set(there.keys).union(here.keys).sorted().filter { there[$0] != here[$0] }.map { key in
            "\(key): \(there[key] ?? "not set") there, \(here[key] ?? "not set") here"
        }
    }

    private static func leaves(_ text: String) throws -> [String: String] {
        var leaves: [String: String] = [:]
        func visit(_ setting: Setting, _ keyPath: String) {
            switch setting.value {
            case .scalar(let text, _): leaves[keyPath] = abbreviated(text)
            case .list(let items): items.enumerated().forEach { visit($1, "\(keyPath)[\($0)]") }
            case .section(let entries):
                entries.forEach { visit($0.value, keyPath.isEmpty ? $0.key : "\(keyPath).\($0.key)") }
            }
        }
        visit(try YAMLReader(name: "training identity").read(text), "")
        return leaves
    }
}

extension RunConfiguration.Editor {
    fileprivate var canonical: CanonicalValue {
        .section([
            "method": .literal(method.rawValue),
            "mode": .literal(mode.rawValue),
            "steps": .literal("\(steps)"),
            "modules": .list(modules),
            "rank": .literal("\(rank)"),
            "blocks": .literal("\(blocks)"),
            "inner_learning_rate": .literal("\(innerLearningRate)"),
            "meta_learning_rate": .literal("\(metaLearningRate)"),
            "regularization": .literal("\(regularization)"),
            "max_gradient_norm": .literal("\(maxGradientNorm)"),
            "locality_weight": .literal("\(localityWeight)"),
            "time_decay": .literal("\(timeDecay)"),
            "back_depth": .literal("\(backDepth)"),
        ])
    }
}

extension RunConfiguration.Data {
    fileprivate func canonical(withPaths: Bool) -> CanonicalValue {
        var values: [String: CanonicalValue] = [
            "edits_per_batch": .literal("\(editsPerBatch)"),
            "batches": .literal("\(batches)"),
            "micro_batch": .literal("\(microBatch)"),
        ]
        values["train"] = train?.canonical(withPath: withPaths)
        if withPaths { values["evaluation"] = evaluation?.canonical(withPath: true) }
        return .section(values)
    }
}

extension RunConfiguration.Split {
    fileprivate func canonical(withPath: Bool) -> CanonicalValue {
        .section(["format": .literal(format.rawValue)].merging(withPath ? ["path": .text(path)] : [:]) { $1 })
    }
}

extension RunConfiguration.Training {
    fileprivate func canonical(withPasses: Bool) -> CanonicalValue {
        var interval = "sequence"
        if case .batches(let count) = updateEvery { interval = "\(count)" }
        var values: [String: CanonicalValue] = ["update_every": .literal(interval), "clip": .literal(clip.rawValue)]
        if withPasses { values["passes"] = .literal("\(passes)") }
        return .section(values)
    }
}

extension RunConfiguration.Run {
    fileprivate func canonical(withThreads: Bool) -> CanonicalValue {
        var values: [String: CanonicalValue] = [
            "seed": .literal("\(seed)"), "shards": .literal("\(shards)"), "reduction": .literal(reduction.rawValue),
        ]
        // Of the identity only where it is not the default: checkpoints from before there was a choice go on.
        if withThreads || compute != .f32 { values["compute"] = .literal(compute.rawValue) }
        if withThreads {
            values["threads"] = .literal("auto")
            if case .count(let count) = threads { values["threads"] = .literal("\(count)") }
        }
        return .section(values)
    }
}

/// A value on its way to canonical YAML.
private enum CanonicalValue {
    /// A number or a word that YAML does not mistake for something else.
    case literal(String)
    case text(String)
    case list([String])
    case section([String: CanonicalValue])

    /// The lines of a section, each with its line feed.
    var lines: [String] {
        guard case .section(let values) = self else { return [] }
        return values.sorted { $0.key < $1.key }.flatMap { key, value in
            switch value {
            case .literal(let word): return ["\(key): \(word)\n"]
            case .text(let text): return ["\(key): \(quoted(text))\n"]
            case .list(let texts): return ["\(key): [\(texts.map(quoted).joined(separator: ", "))]\n"]
            case .section: return ["\(key):\n"] + value.lines.map { "  " + $0 }
            }
        }
    }
}

/// Double-quoted YAML that reads back as the same text; also a JSON string.
private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x22, 0x5C: result += "\\\(scalar)"
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
            let digits = String(scalar.value, radix: 16, uppercase: true)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
