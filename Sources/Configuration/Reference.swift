import Editing
import Settings

// What settings there are, whatever a configuration says.

extension RunConfiguration {
    static let sections = ["model", "editor", "data", "training", "evaluation", "checkpoint", "run"]

    /// Every section, by its full key, with its settings; the editor's are those of all methods.
    static let reference: [(section: String, settings: [any AnySetting])] = [
        ("model", ModelSettings().settings), ("editor", editorSettings), ("data", DataSettings().settings),
        ("data.train", SplitSettings().settings), ("data.evaluation", SplitSettings().settings), ("training", TrainingSettings().settings),
        ("evaluation", EvaluationSettings(nil).settings), ("checkpoint", CheckpointSettings(source: "").settings), ("run", JobSettings().settings),
    ]

    /// Settings and sections in a section.
    static func keys(of section: String) -> [String] {
        let nested = reference.compactMap { $0.section.hasPrefix(section + ".") ? String($0.section.dropFirst(section.count + 1)) : nil }
        return nested + (reference.first { $0.section == section }?.settings.map(\.name) ?? [])
    }

    /// Where a key is at home that was written in another section: "did you mean 'editor.steps'?"
    static func home(of key: String) -> String? {
        reference.first { $0.settings.contains { $0.name == key } }.map { "did you mean '\($0.section).\(key)'?" }
    }

    /// Each setting that some method has, once.
    private static let editorSettings: [any AnySetting] = EditorSettings.all.flatMap(\.settings.settings).reduce(into: []) { seen, setting in
        if !seen.contains(where: { $0.name == setting.name }) { seen.append(setting) }
    }

    /// An editor's default where all methods agree, else each of them with where it holds.
    private static func editorDefault(_ name: String) -> String? {
        var places: [(text: String, places: [String])] = []
        for (method, mode, settings) in EditorSettings.all {
            guard let text = settings.settings.first(where: { $0.name == name })?.defaultText else { continue }
            let place = "\(method.name) \(mode)"
            if let index = places.firstIndex(where: { $0.text == text }) { places[index].places.append(place) } else { places.append((text, [place])) }
        }
        guard places.count > 1 else { return places.first?.text }
        return places.map { "\($0.text) (\($0.places.joined(separator: ", ")))" }.joined(separator: "; ")
    }

    /// Every setting with its default, what it may hold and what it means: a page in Markdown.
    package static var referencePage: String {
        var page = """
            # Settings

            Every key of a configuration. Any can be given on the command line too: `amend train quickstart.yaml editor.steps=3`. A key that the chosen
            method does not have is refused. Keys marked † say what a run is: a run that began with other values does not go on with these.
            This page is what `amend settings` prints.

            """
        for (section, settings) in reference {
            page += "\n## \(section)\n\n| key | default | holds | meaning |\n|---|---|---|---|\n"
            for setting in settings {
                let owners = section == "editor" ? EditorSettings.owners(of: setting.name) : []
                let some = owners.count < EditingMethod.all.count && !owners.isEmpty ? "(\(owners.joined(separator: ", "))) " : ""
                let fallback = (section == "editor" ? editorDefault(setting.name) : setting.defaultText) ?? "must be given"
                page += "| `\(setting.name)`\(setting.identity == .mayChange ? "" : " †") | \(fallback) | \(setting.values) | \(some)\(setting.meaning) |\n"
            }
        }
        return page
    }
}
