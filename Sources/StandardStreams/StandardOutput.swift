import Foundation

/// Results. Whoever asked for them must learn if they did not arrive: every write is checked, at once, and nothing is buffered here.
package enum StandardOutput {
    /// Writes the text whole, waiting for a slow reader as long as it takes.
    /// - Throws: ``OutputError``.
    package static func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        var problem = bytes.withUnsafeBytes { writeAll($0, to: STDOUT_FILENO, patience: nil) }
        if problem == 0 { problem = closingProblem() }
        guard problem == 0 else { throw OutputError(problem) }
    }

    /// The text and a line feed.
    package static func writeLine(_ line: String) throws { try write(line + "\n") }

    /// A network file system may report a full disk only when a descriptor of the file is closed.
    private static func closingProblem() -> Int32 {
        let copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { return 0 }
        return close(copy) == 0 || errno == EINTR ? 0 : errno
    }
}

/// Standard output could not be written.
package struct OutputError: Error, CustomStringConvertible, Sendable {
    package let description: String

    init(_ code: Int32) {
        // The descriptor that takes the place of a closed one cannot be written either.
        let reason = code == EBADF ? "it is closed, or not open for writing" : String(cString: strerror(code))
        description = "standard output: cannot be written: \(reason)"
    }

    private init(description: String) { self.description = description }

    /// The same, with what became of the work whose result this was.
    package func adding(_ note: String) -> OutputError { OutputError(description: "\(description); \(note)") }
}
