import Documents
import Foundation
import StandardStreams

/// What a command prints with `--json`: one object on one line, and nothing else on standard output.
package enum JSONOutput {
    /// Writes the object and a line feed, whole or with an error, to standard output or another open file descriptor.
    /// - Throws: `OutputError`, or `ReportingError` for another descriptor.
    package static func write(_ object: JSONObject, to descriptor: Int32 = STDOUT_FILENO) throws {
        if descriptor == STDOUT_FILENO { return try StandardOutput.write(line(object)) }
        try writeAll(Array(line(object).utf8), to: descriptor, name: "output")
    }

    /// The object and a line feed.
    package static func line(_ object: JSONObject) -> String { JSONValue.object(object).text() + "\n" }
}
