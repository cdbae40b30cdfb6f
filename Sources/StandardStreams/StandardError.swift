import Foundation
import Synchronization

/// Messages, progress and errors. They are never worth failing for: what cannot be written (a full disk, a reader or a terminal that went
/// away, a pipe that nobody reads) is lost, and the run goes on. From any thread; a line comes out whole.
package enum StandardError {
    /// How long to wait for a reader who does not read. Once it was for nothing, nobody is waited for until somebody has read.
    private static let patienceMilliseconds: Int32 = 2000
    private static let isStuck = Atomic<Bool>(false)

    package static func write(_ text: String) {
        let bytes = Array(text.utf8)
        let patience = isStuck.load(ordering: .relaxed) ? 0 : patienceMilliseconds
        let problem = bytes.withUnsafeBytes { writeAll($0, to: STDERR_FILENO, patience: patience) }
        isStuck.store(problem == ETIMEDOUT, ordering: .relaxed)
    }

    /// The text and a line feed, in one write.
    package static func writeLine(_ line: String) { write(line + "\n") }
}
