import Foundation

/// What a command prints with `--json`: one object on one line, and nothing else on standard output.
public enum JSONOutput {
    /// Writes the object and a line feed, whole or with an error.
    /// - Parameters:
    ///   - sortedKeys: Keys in the order of their Unicode scalars; else in the order given.
    ///   - descriptor: An open file descriptor; standard output if not given.
    /// - Throws: `ReportingError`, for instance when the disk behind a redirection is full.
    public static func write(_ object: JSONObject, sortedKeys: Bool = false, to descriptor: Int32 = STDOUT_FILENO) throws {
        let line = JSONValue.object(object).text(sortedKeys: sortedKeys) + "\n"
        try writeAll(Array(line.utf8), to: descriptor, name: descriptor == STDOUT_FILENO ? "standard output" : "output")
    }
}
