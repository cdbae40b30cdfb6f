import TensorCore

/// Names of editable modules, with number ranges: `model.layers.11-15.mlp.gate_proj`, `transformer.h.10-26:2.mlp.fc_in`
/// (from 10 to 26 in steps of 2). Anything else is literal, but the text part of a multimodal release may be named as its files name it:
/// `model.language_model.layers.…` or `language_model.model.layers.…` for `model.layers.…`.
enum ModulePattern {
    /// The modules that `patterns` name, in the order of the patterns and, within one, of its numbers.
    static func expand(_ patterns: [String], among modules: [Linear]) throws -> [Linear] {
        let byName = Dictionary(uniqueKeysWithValues: modules.map { ($0.name, $0) })
        var chosen: [Linear] = []
        for pattern in patterns {
            for name in try names(pattern) {
                guard let module = byName[name] ?? byName[withoutTextPart(name)] else {
                    throw ModulePatternError(
                        "'\(pattern)' names '\(name)', which this model does not have; its editable modules are "
                            + summary(modules))
                }
                guard !chosen.contains(where: { $0 === module }) else {
                    throw ModulePatternError("'\(module.name)' is named twice")
                }
                chosen.append(module)
            }
        }
        return chosen
    }

    private static func withoutTextPart(_ name: String) -> String {
        for prefix in ["model.language_model.", "language_model.model."] where name.hasPrefix(prefix) {
            return "model." + name.dropFirst(prefix.count)
        }
        return name
    }

    /// The names that one pattern stands for.
    static func names(_ pattern: String) throws -> [String] {
        var result = [""]
        for (index, part) in pattern.split(separator: ".", omittingEmptySubsequences: false).enumerated() {
            let choices = try numbers(part, pattern)?.map(String.init) ?? [String(part)]
            guard result.count * choices.count <= 100_000 else {
                throw ModulePatternError("'\(pattern)' stands for more than 100000 names")
            }
            result = result.flatMap { head in choices.map { index == 0 ? $0 : head + "." + $0 } }
        }
        return result
    }

    private static func numbers(_ part: Substring, _ pattern: String) throws -> [Int]? {
        let halves = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let ends = halves[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Int(ends[0]), let last = Int(ends[1]) else { return nil }
        let step = halves.count == 2 ? Int(halves[1]) ?? 0 : 1
        guard first >= 0, first <= last, last < 100_000, step >= 1 else {
            throw ModulePatternError("'\(part)' in '\(pattern)' is not a range; expected FIRST-LAST or FIRST-LAST:STEP with FIRST ≤ LAST")
        }
        return Array(stride(from: first, through: last, by: step))
    }

    /// "model.layers.0-29.mlp.down_proj, …": one line however many layers there are.
    private static func summary(_ modules: [Linear]) -> String { groups(modules).map(\.pattern).joined(separator: ", ") }

    /// Patterns that name `modules`, each with the first module that it names.
    static func groups(_ modules: [Linear]) -> [(pattern: String, first: Linear)] {
        var ranges: [(shape: String, first: Int, last: Int, module: Linear)] = []
        for module in modules {
            let parts = module.name.split(separator: ".")
            guard let index = parts.firstIndex(where: { Int($0) != nil }), let number = Int(parts[index]) else { continue }
            let shape = (parts[..<index] + ["*"] + parts[(index + 1)...]).joined(separator: ".")
            if let known = ranges.firstIndex(where: { $0.shape == shape }) {
                ranges[known].last = max(ranges[known].last, number)
            } else {
                ranges.append((shape, number, number, module))
            }
        }
        return ranges.map { ($0.shape.replacing("*", with: "\($0.first)-\($0.last)"), $0.module) }
    }
}

/// A pattern that names no module: a mistake in the configuration.
package struct ModulePatternError: Error, CustomStringConvertible, Sendable {
    package let description: String
    init(_ problem: String) { description = "editor.modules: " + problem }
}
