/// A value on its way to canonical YAML.
package enum CanonicalValue: Sendable, Equatable {
    /// A number or a word that YAML does not mistake for something else.
    case literal(String)
    case text(String)
    case list([String])
    case section([String: CanonicalValue])

    /// One text for one meaning: keys sorted, in YAML that reads back as the same.
    package var text: String { lines.joined() }

    /// As a person would write it.
    var plainText: String {
        switch self {
        case .literal(let text), .text(let text): text
        case .list(let texts): texts.joined(separator: ", ")
        case .section: ""
        }
    }

    /// Every value in such a text by its full key, a list's by their places: `editor.modules[0]`.
    package static func leaves(of text: String, name: String) throws -> [String: String] {
        var leaves: [String: String] = [:]
        func visit(_ written: Written, _ keyPath: String) {
            switch written.value {
            case .scalar(let text, _): leaves[keyPath] = abbreviated(text)
            case .list(let items): items.enumerated().forEach { visit($1, "\(keyPath)[\($0)]") }
            case .section(let entries): entries.forEach { visit($0.value, keyPath.isEmpty ? $0.key : "\(keyPath).\($0.key)") }
            }
        }
        visit(try YAMLReader(name: name).read(text), "")
        return leaves
    }

    /// The lines of a section, each with its line feed.
    private var lines: [String] {
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
