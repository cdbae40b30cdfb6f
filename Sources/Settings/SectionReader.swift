/// One section of a configuration as it was written.
package struct SectionReader: Sendable {
    /// The full key path, such as `data.train`; empty for the whole configuration.
    let keyPath: String
    let location: Location
    private let file: Location
    private let entries: [Written.Entry]

    /// The whole of a configuration; `source` and `keys` are for messages.
    package init(_ root: Written, keys: [String], source: String) throws {
        try self.init(root, keyPath: "", keys: keys, in: .file(source))
    }

    /// `written` may be nil, null or empty: a section without values.
    private init(_ written: Written?, keyPath: String, keys: [String], in file: Location) throws {
        self.keyPath = keyPath
        self.file = file
        location = keyPath.isEmpty ? file : written?.location ?? file
        guard let written, !written.isNull, !written.isEmpty else {
            entries = []
            return
        }
        guard case .section(let entries) = written.value else {
            throw written.error(at: keyPath.isEmpty ? "configuration" : keyPath, expected: "a section with the keys \(keys.joined(separator: ", "))")
        }
        self.entries = entries
    }

    /// The section under a key of this one; `keys` is for messages.
    package func section(_ key: String, keys: [String]) throws -> SectionReader {
        try SectionReader(written(key), keyPath: path(key), keys: keys, in: file)
    }

    /// Refuses keys that are not among `keys`; `elsewhere` says what to add for one that is at home in another place, which null takes out.
    package func refuseKeys(except keys: [String], elsewhere: (String) -> String? = { _ in nil }) throws {
        for entry in entries where !keys.contains(entry.key) && !(entry.value.isNull && elsewhere(entry.key) != nil) {
            var problem = "there is no such key"
            if let place = elsewhere(entry.key) {
                problem += "; \(place)"
            } else if let near = Spelling.nearest(to: entry.key, among: keys) {
                problem += "; did you mean '\(near)'?"
            }
            problem += problem.hasSuffix("?") ? " " : ". "
            problem += keyPath.isEmpty ? "The sections are " : "The keys of \(keyPath) are "
            throw ConfigurationError(
                location: entry.location.text, keyPath: path(abbreviated(entry.key)), problem: problem + keys.joined(separator: ", "))
        }
    }

    /// Without some keys, but where the command line gives them.
    package func dropping(_ isUnwanted: (String) -> Bool) -> SectionReader {
        SectionReader(
            keyPath: keyPath, location: location, file: file,
            entries: entries.filter { entry in
                if case .commandLine = entry.location { return true }
                return !isUnwanted(entry.key)
            })
    }

    private init(keyPath: String, location: Location, file: Location, entries: [Written.Entry]) {
        (self.keyPath, self.location, self.file, self.entries) = (keyPath, location, file, entries)
    }

    /// Whether anything stands under this section's key.
    package var isGiven: Bool { !entries.isEmpty }

    /// An error about a value that is wrong only in relation to another; placed at `key`, or at the section if that
    /// key was left at its default.
    package func error(_ key: String, _ problem: String) -> ConfigurationError {
        ConfigurationError(location: (entry(key)?.value.location ?? location).text, keyPath: path(key), problem: problem)
    }

    /// The setting's value alone.
    package func value<Value>(of setting: Setting<Value>) throws -> Value { try setting.value(in: self) }

    /// nil for a key that is not given, or given as `null` or `~`. A key with nothing after its colon is given: a value was forgotten.
    func written(_ key: String) -> Written? { entry(key).flatMap { $0.value.isNull ? nil : $0.value } }

    func path(_ key: String) -> String { keyPath.isEmpty ? key : "\(keyPath).\(key)" }

    private func entry(_ key: String) -> Written.Entry? { entries.last { $0.key == key } }
}
