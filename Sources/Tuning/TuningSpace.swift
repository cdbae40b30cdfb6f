import Configuration
import Editing
import Foundation
import Transformer

/// Settings that differ from those of the configuration that was given, by their full keys.
package typealias TuningChanges = [String: String]

/// What is tried, in stages: each proposes changes of the best configuration so far, the best of which, if it is better, is where the next goes on from.
struct TuningSpace {
    struct Stage {
        let name: String
        /// From the best configuration so far and its changes.
        let proposals: (RunConfiguration, TuningChanges) -> [TuningChanges]
        /// Whether it is gone through again as long as that helps: what it proposes depends on where it stands.
        var climbs = false
    }

    /// What can be edited: of each kind of module its name in layer `*`, and whether it writes what the layer adds to its token (W₂ of a feed-forward network).
    private let kinds: [(pattern: String, writes: Bool)]
    private let layers: Int
    /// Whether the edits' prompts name their subjects.
    private let hasSubjects: Bool
    /// Whether edits can be held by what they should leave alone.
    private let preserves: Bool
    private let loop: (any EditLoopKind)?

    init(model: LanguageModel, hasSubjects: Bool, method: EditingMethod) {
        let count = model.configuration.layerCount
        kinds = model.editableModuleGroups.map { ($0.pattern.replacing(".0-\(count - 1).", with: ".*."), $0.first.keySize > $0.first.valueSize) }
        layers = count
        self.hasSubjects = hasSubjects
        preserves = method.preserves
        loop = method.loop
    }

    var stages: [Stage] {
        func factors(_ key: String, _ value: @escaping (RunConfiguration) -> Double, _ factors: [Double]) -> Stage {
            Stage(
                name: key.split(separator: ".").last.map(String.init) ?? key,
                proposals: { best, _ in value(best) > 0 ? factors.map { [key: String(format: "%.3g", value(best) * $0)] } : [] }, climbs: true)
        }
        func choices(_ key: String, _ values: [String]) -> Stage {
            Stage(name: key.split(separator: ".").last.map(String.init) ?? key, proposals: { _, _ in values.map { [key: $0] } })
        }
        if let loop {
            let own = loop.tuning.map { tuning in
                switch tuning {
                case .factors(let setting, let ratios): factors("editor.\(setting.name)", { $0.editor[setting] }, ratios)
                case .choices(let setting, let values): choices("editor.\(setting.name)", values)
                }
            }
            return [Stage(name: "modules", proposals: { _, _ in loopWindows.flatMap(changes) })] + own.prefix(1)
                + [Stage(name: "layers", proposals: { _, changes in neighbors(changes).flatMap(self.changes) }, climbs: true)] + own.dropFirst()
        }
        func background(_ ratios: [Double]) -> Stage { factors("editor.background_weight", { $0.editor.backgroundWeight }, ratios) }
        let first =
            preserves
            ? Stage(name: "what holds edits", proposals: { _, _ in [Self.holding] }) : Stage(name: "steps as needed", proposals: { _, _ in [Self.steps] })
        let strengths =
            preserves
            ? [
                choices("editor.earlier_weight", ["0", "1", "10"]), factors("editor.contrast_weight", { $0.editor.contrastWeight }, [1 / 3.0, 3]),
                background([1 / 3.0, 3]),
            ] : []
        return [
            first, Stage(name: "modules", proposals: { _, _ in windows.flatMap(changes) }),
            Stage(name: "layers", proposals: { _, changes in neighbors(changes).flatMap(self.changes) }, climbs: true),
            factors("editor.step_bound", { $0.editor.stepBound }, [0.5, 2]),
            choices("editor.positions", (hasSubjects ? ["subject", "subject-last"] : []) + ["answer", "prompt", "all"]),
        ] + strengths
            + [
                choices("editor.loss_bound", ["0.02", "0.05", "0.2"]), choices("editor.prefixes", ["0", "2"]),
            ]
    }

    /// No step that does harm, or that is not needed; and none whose length is that of the model's keys, which differ by orders between models.
    private static let steps: TuningChanges = [
        "editor.normalizer": "first-step", "editor.steps": "8", "editor.loss_bound": "0.05", "editor.halvings": "4", "editor.step_bound": "2",
    ]

    /// That, and what is held.
    private static let holding = steps.merging([
        "editor.contrast_weight": "10", "editor.contrast_subjects": "5", "editor.contrast_positions": "all", "editor.background_weight": "100",
        "editor.earlier_weight": "1",
    ]) { $1 }

    // MARK: Modules

    /// Layers in a row.
    private struct Window: Equatable {
        let writes: Bool
        let first: Int
        let last: Int
    }

    /// A sixth of the model, in four places; of what writes, and of what is read before it but at the top.
    private var windows: [Window] {
        let width = max(1, (layers + 3) / 6)
        let starts = [1.0 / 15, 0.2, 0.4, 0.6].map { min(layers - width, max(0, Int((Double(layers) * $0).rounded()))) }
        return [true, false].flatMap { writes in
            starts.prefix(writes ? 4 : 3).map { Window(writes: writes, first: $0, last: $0 + width - 1) }
        }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// For a loop of its own over the edits: a layer in five places, and a sixth of the model in two; of what writes.
    private var loopWindows: [Window] {
        func window(at place: Double, width: Int) -> Window {
            let first = Int((Double(layers) * place).rounded())
            return Window(writes: true, first: first, last: first + width - 1)
        }
        let single = [0.125, 0.25, 0.375, 0.5, 0.75].map { window(at: $0, width: 1) }, wide = [0.2, 0.5].map { window(at: $0, width: max(1, (layers + 3) / 6)) }
        return (single + wide).filter { $0.last < layers }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// One that is moved by half its width, or is wider or narrower; none where the modules are not one of ours.
    private func neighbors(_ changes: TuningChanges) -> [Window] {
        guard let modules = changes["editor.modules"], let window = all.first(where: { text($0) == modules }) else { return [] }
        let width = window.last - window.first + 1, half = max(1, width / 2)
        return [
            Window(writes: window.writes, first: window.first - half, last: window.last - half),
            Window(writes: window.writes, first: window.first + half, last: window.last + half),
            Window(writes: window.writes, first: window.first, last: window.last - half), Window(writes: window.writes, first: window.first, last: window.last + half),
        ].filter { $0.first >= 0 && $0.last < layers && $0.first <= $0.last }
    }

    private var all: [Window] {
        [true, false].flatMap { writes in (0..<layers).flatMap { first in (first..<layers).map { Window(writes: writes, first: first, last: $0) } } }
    }

    private func text(_ window: Window) -> String {
        let names = kinds.filter { $0.writes == window.writes }.map { $0.pattern.replacing(".*.", with: ".\(window.first)-\(window.last).") }
        return "[" + names.joined(separator: ", ") + "]"
    }

    /// Each where it works best as a rule: what writes at the subject, what is read before it everywhere.
    private func changes(_ window: Window) -> [TuningChanges] {
        guard kinds.contains(where: { $0.writes == window.writes }) else { return [] }
        if loop != nil { return [["editor.modules": text(window)]] }
        return [["editor.modules": text(window), "editor.positions": window.writes && hasSubjects ? "subject" : "all"]]
    }
}
