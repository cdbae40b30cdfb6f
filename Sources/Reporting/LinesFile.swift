import Documents
import Foundation

/// A file of lines, of JSON or other text, that is there whole or not at all: until `finish` the lines are in a file beside it, and what was there before stays. A pipe or a device is
/// written to at once, and so is what a process has open.
package final class LinesFile {
    private let path: String
    /// Where the lines are until they are all there; nil: in their place.
    private let partial: String?
    private let descriptor: Int32

    /// - Throws: `ReportingError` where it cannot be written, before there is anything to write.
    package init(_ name: String) throws {
        var status = stat()
        let exists = stat(name, &status) == 0
        guard !exists || status.st_mode & S_IFMT != S_IFDIR else { throw ReportingError(name, "write", reason: "it is a directory") }
        // Names there stand for what is open, and are links.
        let isOpen = name.hasPrefix("/dev/") || name.hasPrefix("/proc/")
        path = exists && !isOpen ? URL(fileURLWithPath: name).resolvingSymlinksInPath().path : name
        partial = isOpen || exists && status.st_mode & S_IFMT != S_IFREG ? nil : path + ".partial"
        descriptor = try openFile(partial ?? path, partial == nil ? O_WRONLY | O_APPEND : O_WRONLY | O_CREAT | O_TRUNC, action: "write")
    }

    package func append(_ line: JSONObject) throws { try append(JSONOutput.line(line)) }

    /// Whole lines, as they are.
    package func append(_ text: String) throws { try writeAll(Array(text.utf8), to: descriptor, name: path) }

    /// Gives the file its name.
    package func finish() throws {
        guard let partial else { return }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw ReportingError(path, "synchronize") }
        guard rename(partial, path) == 0 else { throw ReportingError(path, "replace") }
        try synchronizeDirectory(MetricsLog.directory(of: path))
    }

    deinit {
        close(descriptor)
        if let partial { unlink(partial) }
    }
}
