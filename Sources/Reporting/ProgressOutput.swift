import Foundation
import StandardStreams

/// Where progress goes: a stream, whether it is a terminal, and how wide.
package struct ProgressOutput: Sendable {
    let isTerminal: Bool
    let width: @Sendable () -> Int
    let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - isTerminal: Whether "\r" returns to the start of the line.
    ///   - width: Columns of the terminal, asked for at each drawing, since windows are resized.
    ///   - write: Takes the text to write. Progress is never worth failing for, so errors end here.
    package init(
        isTerminal: Bool, width: @escaping @Sendable () -> Int = { 80 }, write: @escaping @Sendable (String) -> Void
    ) {
        (self.isTerminal, self.width, self.write) = (isTerminal, width, write)
    }

    /// Standard error. The environment variable COLUMNS, if it is a positive number, goes before what the
    /// terminal says; 80 columns where neither says anything. TERM=dumb counts as no terminal.
    package static let standardError: ProgressOutput = {
        let environment = ProcessInfo.processInfo.environment
        let columns = environment["COLUMNS"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        return ProgressOutput(
            isTerminal: isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb",
            width: { columns ?? windowColumns(STDERR_FILENO) ?? 80 },
            write: StandardError.write)
    }()

    /// Nothing is written at all: for ranks other than the first.
    package static let none = ProgressOutput(isTerminal: false) { _ in }
}

private func windowColumns(_ descriptor: Int32) -> Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
}
