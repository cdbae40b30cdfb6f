import Documents
import TensorCore

extension Written {
    /// Reads a configuration file, at most 1 MiB of UTF-8.
    package static func file(_ path: String, overrides: [String]) throws -> Written {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.read(path, atMost: YAMLReader.maximumBytes, what: "a configuration")
        } catch let error as BadInput {
            throw ConfigurationError(location: error.location, problem: error.problem)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError(location: path, problem: "expected UTF-8 text, found bytes that are not")
        }
        return try Written.text(text, source: path, overrides: overrides)
    }

    /// - Parameters:
    ///   - source: Names the text in messages.
    ///   - overrides: `key.path=value`, applied in order; the last one for a key holds. A value is a number or text as it stands; one that begins with
    ///     `[`, `"` or `'` is read as YAML.
    package static func text(_ text: String, source: String, overrides: [String]) throws -> Written {
        var root = try YAMLReader(name: source).read(text)
        if root.isEmpty || root.isNull { root = Written(value: .section([]), location: .file(source)) }
        for override in overrides { root = try Override(override).applied(to: root) }
        return root
    }
}
