import Foundation

/// The system refused to read or write what is being reported. The text is one line: the file, what was tried, why not.
package struct ReportingError: Error, CustomStringConvertible, Sendable {
    package let description: String

    init(_ name: String, _ action: String, reason: String) {
        description = "\(name): cannot \(action): \(reason)"
    }

    /// From `errno`, which must not have been disturbed since the call that failed.
    init(_ name: String, _ action: String) {
        self.init(name, action, reason: String(cString: strerror(errno)))
    }
}

/// Writes everything, in as few calls as the system allows: one, for a line on a local file.
func writeAll(_ bytes: some RandomAccessCollection<UInt8>, to descriptor: Int32, name: String) throws {
    var rest = ArraySlice(bytes)
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if written < 0, errno == EINTR { continue }
        guard written >= 0 else { throw ReportingError(name, "write") }
        rest = rest.dropFirst(written)
    }
}

/// Reads until `buffer` is full or the file ends; how many bytes were read.
func readFully(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: Int, name: String) throws -> Int {
    var count = 0
    while count < buffer.count, let base = buffer.baseAddress {
        let read = pread(descriptor, base + count, buffer.count - count, offset + count)
        if read < 0, errno == EINTR { continue }
        guard read >= 0 else { throw ReportingError(name, "read") }
        if read == 0 { break }
        count += read
    }
    return count
}

/// Opens with O_CLOEXEC; a file that is created is readable by all, as the umask allows.
func openFile(_ path: String, _ flags: Int32, action: String) throws -> Int32 {
    while true {
        let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o666)
        if descriptor >= 0 { return descriptor }
        guard errno == EINTR else { throw ReportingError(path, action) }
    }
}

/// Makes a rename in this directory outlast a crash.
func synchronizeDirectory(_ path: String) throws {
    let descriptor = try openFile(path, O_RDONLY | O_DIRECTORY, action: "open")
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw ReportingError(path, "synchronize") }
}
