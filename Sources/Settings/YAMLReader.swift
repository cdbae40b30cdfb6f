import Yams

/// Reads YAML into `Written` values. What YAML makes of plain words (`no` a truth value, `017` fifteen) is not asked for:
/// every scalar stays text until the key that it belongs to says what it should be.
///
/// Refused, beside what is no YAML: duplicate keys, keys that are not plain text, tags (`!!int`), anchors with aliases,
/// more than one document, more than 1 MiB of text, and nesting deeper than `maximumDepth`.
struct YAMLReader {
    static let maximumBytes = 1 << 20
    static let maximumDepth = 8

    let name: String

    /// The root of the document; an empty document is an empty section.
    func read(_ text: String) throws -> Written {
        guard text.utf8.count <= Self.maximumBytes else {
            throw ConfigurationError(location: name, problem: "expected at most 1 MiB of YAML, found \(text.utf8.count) bytes")
        }
        let text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
        try refuseAliases(in: text)
        do {
            // The encoding is given because the default asks the environment and prints what it found.
            let node = try Yams.compose(yaml: text, .basic, .default, .utf8)
            return try node.map { try setting($0, keyPath: "") } ?? Written(value: .section([]), location: .file(name))
        } catch let error as YamlError {
            throw configurationError(error, in: text)
        }
    }

    // MARK: - Nodes

    private func setting(_ node: Node, keyPath: String, depth: Int = 0) throws -> Written {
        let location = position(node.mark)
        guard depth <= Self.maximumDepth else {
            throw error(location, keyPath, "nested more than \(Self.maximumDepth) levels deep")
        }
        switch node {
        case .scalar(let scalar):
            let isQuoted = try isText(tag: scalar.tag, location, keyPath)
            return Written(value: .scalar(scalar.string, isQuoted: isQuoted), location: location)
        case .sequence(let items):
            _ = try isText(tag: items.tag, location, keyPath)
            let list = try items.map { try setting($0, keyPath: keyPath, depth: depth + 1) }
            return Written(value: .list(list), location: location)
        case .mapping(let pairs):
            _ = try isText(tag: pairs.tag, location, keyPath)
            return Written(value: .section(try entries(pairs, keyPath: keyPath, depth: depth)), location: location)
        case .alias:
            throw error(location, keyPath, "aliases (*name) are not supported; write the value out")
        }
    }

    private func entries(_ pairs: Node.Mapping, keyPath: String, depth: Int) throws -> [Written.Entry] {
        var seen = Set<String>()
        return try pairs.map { pair in
            let location = position(pair.key.mark)
            guard case .scalar(let key) = pair.key else {
                throw error(location, keyPath, "expected a key, found a list or section in its place")
            }
            let path = keyPath.isEmpty ? key.string : "\(keyPath).\(key.string)"
            _ = try isText(tag: key.tag, location, path)
            guard seen.insert(key.string).inserted else { throw duplicate(path, location) }
            let value = try setting(pair.value, keyPath: path, depth: depth + 1)
            return Written.Entry(key: key.string, location: location, value: value)
        }
    }

    /// Whether YAML already knows the scalar to be text. Throws for a tag that asks for anything else.
    private func isText(tag: Tag, _ location: Location, _ keyPath: String) throws -> Bool {
        switch tag.rawValue {
        case Tag.Name.implicit.rawValue: return false
        case Tag.Name.str.rawValue: return true
        default: throw error(location, keyPath, "YAML tags are not supported, found '\(abbreviated(tag.rawValue))'")
        }
    }

    // MARK: - Aliases

    /// Ten nested aliases stand for billions of values, and the YAML library compares whole values when it looks for
    /// duplicate keys. No configuration needs them, so text in which some `&name` and `*name` could be an anchor and
    /// its alias is refused before it is parsed. (An anchor that nothing refers to is harmless.)
    private func refuseAliases(in text: String) throws {
        let bytes = Array(text.utf8)
        let anchors = Set(names(after: UInt8(ascii: "&"), in: bytes).map(\.name))
        guard !anchors.isEmpty else { return }
        for alias in names(after: UInt8(ascii: "*"), in: bytes) where anchors.contains(alias.name) {
            let line = 1 + bytes[..<alias.start].count { $0 == UInt8(ascii: "\n") }
            let name = abbreviated(String(decoding: alias.name, as: UTF8.self))
            throw ConfigurationError(
                location: "\(self.name):\(line)",
                problem: "anchors and aliases (&\(name), *\(name)) are not supported; write the value out")
        }
    }

    private func names(after mark: UInt8, in bytes: [UInt8]) -> [(start: Int, name: ArraySlice<UInt8>)] {
        bytes.indices.lazy.filter { bytes[$0] == mark }.map { start in
            (start, bytes[(start + 1)...].prefix(while: isAnchorCharacter))
        }
    }

    private func isAnchorCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            return true
        default:
            return false
        }
    }

    // MARK: - Errors

    private func position(_ mark: Mark?) -> Location {
        mark.map { .position(file: name, line: $0.line, column: $0.column) } ?? .file(name)
    }

    private func error(_ location: Location, _ keyPath: String, _ problem: String) -> ConfigurationError {
        ConfigurationError(
            location: location.text, keyPath: keyPath.isEmpty ? nil : abbreviated(keyPath), problem: problem)
    }

    private func duplicate(_ key: String, _ location: Location) -> ConfigurationError {
        error(location, key, "given more than once in its section")
    }

    private func configurationError(_ error: YamlError, in text: String) -> ConfigurationError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let place = context.map { "\($0.text), " } ?? ""
            return self.error(position(mark), "", "not valid YAML: \(place)\(problem)")
        case .reader(let problem, let offset, _, _):
            let line = 1 + text.prefix(offset ?? 0).count { $0.isNewline }
            return ConfigurationError(location: "\(name):\(line)", problem: "not valid YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return duplicate(duplicates.first ?? "", position(context.mark))
        default:
            return ConfigurationError(location: name, problem: "not valid YAML: \(abbreviated("\(error)"))")
        }
    }
}
