/// A run configuration that cannot be used. The text is one line that says which key, what was expected, what was
/// found and where it was written. The command line exits with status 2 for it.
///
///     editor.steps: expected a whole number of at least 1, found 'two' (quickstart.yaml:4:10)
package struct ConfigurationError: Error, CustomStringConvertible, Sendable, Equatable {
    /// "file:line:column" (both from 1, columns in Unicode scalars), "file", or "command line: key=value".
    package let location: String
    /// The full key path, such as `data.train.path`; nil where no single key is at fault.
    package let keyPath: String?
    package let problem: String

    package init(location: String, keyPath: String? = nil, problem: String) {
        self.location = location
        self.keyPath = keyPath
        self.problem = problem
    }

    package var description: String {
        guard let keyPath else { return "\(location): \(problem)" }
        return "\(keyPath): \(problem) (\(location))"
    }
}

extension ConfigurationError {
    /// For a key that is optional in general, but that this command (`amend train`) cannot do without.
    package static func missing(_ keyPath: String, neededBy command: String, in location: String) -> ConfigurationError {
        ConfigurationError(location: location, keyPath: keyPath, problem: "\(command) needs it, and it is not set")
    }
}

/// Where a setting was written.
enum Location: Sendable, Equatable {
    case file(String)
    case position(file: String, line: Int, column: Int)
    case commandLine(argument: String)

    var text: String {
        switch self {
        case .file(let name): return name
        case .position(let name, let line, let column): return "\(name):\(line):\(column)"
        case .commandLine(let argument): return "command line: \(abbreviated(argument))"
        }
    }
}

/// Text from the user as it may stand inside a one-line message: without line breaks, control and
/// direction characters, and not longer than 60 characters.
package func abbreviated(_ text: String) -> String {
    var result = ""
    for (index, scalar) in text.unicodeScalars.enumerated() {
        if index == 60 { return result + "…" }
        result += isPrintable(scalar) ? String(scalar) : "\u{FFFD}"
    }
    return result
}

private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: return false
    default: return true
    }
}
