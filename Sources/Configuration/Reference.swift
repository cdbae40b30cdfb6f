import Editing
import Settings

// What settings there are, whatever a configuration says.

extension RunConfiguration {
    static let sections = ["model", "editor", "data", "training", "evaluation", "checkpoint", "run"]

    /// Every section, by its full key, with its settings; the editor's are those of all methods.
    static let reference: [(section: String, settings: [any AnySetting])] = [
        ("model", ModelSettings().settings), ("editor", editorSettings.map(\.setting)), ("data", DataSettings().settings),
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

    /// Each setting that some method has, once, with what differs between methods in words.
    private static let editorSettings: [(setting: any AnySetting, methods: String?, defaults: String?)] = {
        let all = EditorSettings.all
        var names: [String] = []
        for name in all.flatMap({ $0.settings.settings.map(\.name) }) where !names.contains(name) { names.append(name) }
        return names.map { name in
            let having = all.compactMap { own in own.settings.settings.first { $0.name == name }.map { (own.method.name, own.mode, $0) } }
            let methods = having.map(\.0).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
            var defaults: [(text: String?, places: [String])] = []
            for (method, mode, setting) in having {
                let place = having.filter { $0.0 == method }.allSatisfy { $0.2.defaultText == setting.defaultText } ? method : "\(method), mode \(mode)"
                if let index = defaults.firstIndex(where: { $0.text == setting.defaultText }) {
                    if !defaults[index].places.contains(place) { defaults[index].places.append(place) }
                } else {
                    defaults.append((setting.defaultText, [place]))
                }
            }
            let commonest = defaults.max { $0.places.count < $1.places.count }?.text
            let texts = defaults.map {
                $0.text == commonest && defaults.count > 1 && $0.places.count > 1 ? $0.text ?? "" : "\($0.text ?? "") (\($0.places.joined(separator: "; ")))"
            }
            return (
                having[0].2, methods.count == EditingMethod.all.count ? nil : methods.joined(separator: ", "),
                defaults.count == 1 ? defaults[0].text : texts.joined(separator: ", ")
            )
        }
    }()

    /// Every setting with its default, what it may hold and what it means: a page in Markdown.
    public static var referencePage: String {
        var page = """
            # Settings

            Every key of a configuration. Any can be given on the command line too: `amend train quickstart.yaml editor.steps=3`. A key that the chosen
            method does not have is refused. Keys marked † say what a run is: a run that began with other values does not go on with these.
            This page is what `amend settings` prints.

            """
        for (section, settings) in reference {
            page += "\n## \(section)\n\n| key | default | holds | meaning |\n|---|---|---|---|\n"
            for setting in settings {
                let own = section == "editor" ? editorSettings.first { $0.setting.name == setting.name } : nil
                let meaning = own?.methods.map { "(\($0)) \(setting.meaning)" } ?? setting.meaning
                let fallback = (own.map(\.defaults) ?? setting.defaultText).map { $0.isEmpty ? "" : $0 } ?? "must be given"
                page += "| `\(setting.name)`\(setting.identity == .none ? "" : " †") | \(fallback) | \(setting.values) | \(meaning) |\n"
            }
        }
        return page
    }
}
