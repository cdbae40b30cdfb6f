import Documents
import Foundation
import TensorCore

/// A file of JSON lines that outlasts crashes: every record is one write of one whole line, followed by fdatasync, and
/// what a crash has left of a last line is dropped when the file is opened again.
///
/// For one process, and one thread at a time. Memory is bounded by the longest line, at most `maximumLineBytes`.
package final class MetricsLog {
    package static let maximumLineBytes = 1 << 20

    package let path: String
    /// How many bytes of an unfinished last line were dropped on opening; 0 if there was none. Worth telling the user.
    package let droppedBytes: Int
    private var descriptor: Int32
    private var size: Int

    /// Opens the file for appending; creates it, and the directories above it, where missing.
    /// - Throws: `ReportingError`; `BadInput` where the file has no line feed in its last `maximumLineBytes` bytes.
    package init(path: String) throws {
        self.path = path
        let directory = Self.directory(of: path)
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw ReportingError(directory, "create the directory", reason: error.localizedDescription)
        }
        let descriptor = try openFile(path, O_RDWR | O_CREAT | O_APPEND, action: "open")
        do {
            let length = Int(lseek(descriptor, 0, SEEK_END))
            guard length >= 0 else { throw ReportingError(path, "find the end") }
            let whole = try Self.endOfLastLine(descriptor, length: length, path)
            if whole < length, ftruncate(descriptor, off_t(whole)) != 0 { throw ReportingError(path, "shorten") }
            (size, droppedBytes) = (whole, length - whole)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Appends one record. When this throws (a full disk), the file is as it was before.
    package func append(_ record: JSONObject) throws {
        let line = Array((JSONValue.object(record).text() + "\n").utf8)
        precondition(line.count <= Self.maximumLineBytes, "a record of \(line.count) bytes; at most \(Self.maximumLineBytes)")
        do {
            try writeAll(line, to: descriptor, name: path)
            guard fdatasync(descriptor) == 0 || errno == EINVAL else { throw ReportingError(path, "synchronize") }
        } catch {
            _ = ftruncate(descriptor, off_t(size))
            throw error
        }
        size += line.count
    }

    /// Removes the records whose "batch" is a number greater than `batch`, so that a run that resumes there does not
    /// log anything twice. Lines without a "batch", and lines that are no JSON, stay. The file is replaced as a whole
    /// or, on error, left alone.
    /// - Returns: How many records were removed.
    @discardableResult
    package func truncate(after batch: Int) throws -> Int {
        let temporary = path + ".partial"
        let output = try openFile(temporary, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, action: "create")
        do {
            var (removed, kept) = (0, 0)
            try forEachLine { line in
                if Self.batch(of: line).map({ $0 > Double(batch) }) ?? false {
                    removed += 1
                } else {
                    try writeAll(line, to: output, name: temporary)
                    kept += line.count
                }
            }
            guard removed > 0 else {
                close(output)
                unlink(temporary)
                return 0
            }
            guard fsync(output) == 0 else { throw ReportingError(temporary, "synchronize") }
            guard rename(temporary, path) == 0 else { throw ReportingError(path, "replace") }
            close(descriptor)
            (descriptor, size) = (output, kept)
            try synchronizeDirectory(Self.directory(of: path))
            return removed
        } catch {
            if descriptor != output {
                close(output)
                unlink(temporary)
            }
            throw error
        }
    }

    // MARK: - Lines

    /// The offset behind the last line feed.
    private static func endOfLastLine(_ descriptor: Int32, length: Int, _ path: String) throws -> Int {
        let count = min(length, maximumLineBytes)
        var tail = [UInt8](repeating: 0, count: count)
        let read = try tail.withUnsafeMutableBytes {
            try readFully($0, from: descriptor, at: length - count, name: path)
        }
        if let lineFeed = tail[..<read].lastIndex(of: UInt8(ascii: "\n")) { return length - count + lineFeed + 1 }
        guard count == length else {
            throw BadInput(path, "expected JSON lines, found \(count) bytes without a line feed at its end")
        }
        return 0
    }

    /// Each line with its line feed.
    private func forEachLine(_ body: (ArraySlice<UInt8>) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: 2 * Self.maximumLineBytes)
        var (offset, filled) = (0, 0)
        while offset < size {
            let wanted = filled..<min(buffer.count, filled + size - offset)
            let read = try buffer.withUnsafeMutableBytes {
                try readFully(.init(rebasing: $0[wanted]), from: descriptor, at: offset, name: path)
            }
            guard read == wanted.count else { throw BadInput(path, "became shorter while it was read") }
            (offset, filled) = (offset + read, filled + read)
            var start = 0
            while let lineFeed = buffer[start..<filled].firstIndex(of: UInt8(ascii: "\n")),
                lineFeed - start < Self.maximumLineBytes
            {
                try body(buffer[start...lineFeed])
                start = lineFeed + 1
            }
            guard filled - start < Self.maximumLineBytes else {
                throw BadInput(path, "expected lines of at most \(Self.maximumLineBytes) bytes, found a longer one")
            }
            buffer.replaceSubrange(0..<(filled - start), with: Array(buffer[start..<filled]))
            filled -= start
        }
    }

    private static func batch(of line: ArraySlice<UInt8>) -> Double? {
        try? JSONValue(parsing: line, file: "")["batch"]?.double
    }

    static func directory(of path: String) -> String {
        let directory = (path as NSString).deletingLastPathComponent
        return directory.isEmpty ? "." : directory
    }
}
