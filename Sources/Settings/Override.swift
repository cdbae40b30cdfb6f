/// One `key.path=value` of the command line.
///
/// The value is taken as it stands, a number or text, with blanks around it removed: quotes, `#` and `: ` need no care
/// beyond the shell's. Values that begin with `[`, `"` or `'` are read as YAML, so that lists can be given.
struct Override {
    let keyPath: [String]
    let value: Written

    init(_ argument: String) throws {
        let location = Location.commandLine(argument: argument)
        guard let equals = argument.firstIndex(of: "=") else {
            throw ConfigurationError(
                location: "command line", problem: "expected key.path=value, found '\(abbreviated(argument))'")
        }
        keyPath = argument[..<equals].split(separator: ".", omittingEmptySubsequences: false).map { trimmed($0) }
        guard !keyPath.contains(""), keyPath.count <= YAMLReader.maximumDepth else {
            throw ConfigurationError(
                location: location.text, problem: "expected a key path such as editor.steps before the equals sign")
        }
        value = try Self.value(trimmed(argument[argument.index(after: equals)...]), location)
    }

    private static func value(_ text: String, _ location: Location) throws -> Written {
        guard let first = text.first, "[\"'{".contains(first) else {
            return Written(value: .scalar(text, isQuoted: false), location: location)
        }
        let read = try YAMLReader(name: location.text).read(text)
        if case .section = read.value {
            throw ConfigurationError(
                location: location.text, problem: "expected a single value or a list; give each key of a section by itself")
        }
        return read.placed(at: location)
    }

    /// `root` with this value set, and with the sections on the way to it where they are missing.
    func applied(to root: Written) throws -> Written {
        try Self.set(keyPath[...], to: value, in: root)
    }

    private static func set(_ path: ArraySlice<String>, to value: Written, in section: Written?) throws -> Written {
        guard let key = path.first else { return value }
        var entries: [Written.Entry] = []
        if let section, !section.isNull, !section.isEmpty {
            guard case .section(let existing) = section.value else {
                throw ConfigurationError(
                    location: value.location.text, problem: "'\(abbreviated(key))' is given under a key that is no section")
            }
            entries = existing
        }
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].value = try set(path.dropFirst(), to: value, in: entries[index].value)
        } else {
            let added = try set(path.dropFirst(), to: value, in: nil)
            entries.append(Written.Entry(key: key, location: value.location, value: added))
        }
        return Written(value: .section(entries), location: section?.location ?? value.location)
    }
}

extension Written {
    /// The same value, said to be written at `location` throughout.
    fileprivate func placed(at location: Location) -> Written {
        guard case .list(let items) = value else { return Written(value: value, location: location) }
        return Written(value: .list(items.map { $0.placed(at: location) }), location: location)
    }
}

private func trimmed(_ text: Substring) -> String {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0.isNewline }
    let rest = text.drop(while: isBlank)
    let end = rest.lastIndex { !isBlank($0) }
    return end.map { String(rest[...$0]) } ?? ""
}
