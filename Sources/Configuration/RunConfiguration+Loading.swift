import Foundation

extension RunConfiguration {
    /// Reads and validates a configuration file.
    ///
    /// - Parameters:
    ///   - path: The file, at most 1 MiB of UTF-8. Paths inside it are relative to the working directory, not to it.
    ///   - overrides: `key.path=value`, applied in order before validation; the last one for a key holds. A value is a
    ///     number or text as it stands; one that begins with `[`, `"` or `'` is read as YAML.
    /// - Throws: `ConfigurationError`, for anything that is wrong with either.
    public static func load(path: String, overrides: [String] = []) throws -> RunConfiguration {
        try RunConfiguration(text: readFile(path), source: path, overrides: overrides)
    }

    /// As `load`, from text; `source` names it in messages, and its last component the default run directory.
    public init(text: String, source: String, overrides: [String] = []) throws {
        var root = try YAMLReader(name: source).read(text)
        if root.isEmpty || root.isNull { root = Setting(value: .section([]), location: .file(source)) }
        for override in overrides { root = try Override(override).applied(to: root) }
        try self.init(root, source: source)
    }

    /// The same configuration with another `run.compute`.
    public func computing(in compute: Compute) throws -> RunConfiguration {
        try RunConfiguration(text: canonicalText, source: source, overrides: ["run.compute=\(compute.rawValue)"])
    }
}

private func readFile(_ path: String) throws -> String {
    let bytes: Foundation.Data
    do {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        bytes = try readAll(file, upTo: YAMLReader.maximumBytes + 1)
    } catch {
        throw ConfigurationError(location: path, problem: "cannot be read: \(reason(error, path))")
    }
    guard bytes.count <= YAMLReader.maximumBytes else {
        throw ConfigurationError(location: path, problem: "expected at most 1 MiB of YAML, found more")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw ConfigurationError(location: path, problem: "expected UTF-8 text, found bytes that are not")
    }
    return text
}

/// A pipe may give its bytes in pieces.
private func readAll(_ file: FileHandle, upTo limit: Int) throws -> Foundation.Data {
    var bytes = Foundation.Data()
    while bytes.count < limit, let piece = try file.read(upToCount: limit - bytes.count), !piece.isEmpty {
        bytes.append(piece)
    }
    return bytes
}

private func reason(_ error: any Error, _ path: String) -> String {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return "there is no such file" }
    if isDirectory.boolValue { return "it is a directory" }
    return abbreviated((error as NSError).localizedDescription)
}
