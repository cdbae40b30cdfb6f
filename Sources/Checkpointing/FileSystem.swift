import Foundation
import TensorCore

/// A failed operation of the file system: "writing rank-0001.bin: No space left on device".
struct FileError: Error, CustomStringConvertible {
    let description: String
    let code: Int32
    var isMissing: Bool { code == ENOENT }

    /// From errno, which must not have changed since.
    init(_ operation: String, _ path: String) {
        code = errno
        description = "\(operation) \(path): \(String(cString: strerror(code)))"
    }
}

/// An open file; closed with it.
final class File {
    private let descriptor: Int32
    private let path: String
    private var isOpen = true

    /// A new file for writing; an existing one is emptied.
    init(creating path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError("creating", path) }
    }

    /// A regular file for reading; links and devices are refused.
    init(reading path: String) throws {
        self.path = path
        descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("opening", path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            errno = EINVAL
            throw FileError("opening", path)
        }
    }

    deinit { if isOpen { close(descriptor) } }

    func length() throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("examining", path) }
        return Int(status.st_size)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            if count == 0 { errno = ENOSPC }
            guard count > 0 else { throw FileError("writing", path) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Fills `target` from `offset`; false if the file ends before.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Bool {
        var done = 0
        while done < target.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
            let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError("reading", path) }
            if count == 0 { return false }
            done += count
        }
        return true
    }

    /// Until the bytes are on the disk; then closes. A network file system may report a full disk only here.
    func synchronizeAndClose() throws {
        guard fsync(descriptor) == 0 else { throw FileError("synchronizing", path) }
        isOpen = false
        guard close(descriptor) == 0 else { throw FileError("closing", path) }
    }
}

enum FileSystem {
    /// The whole file, which must be a regular one of at most `limit` bytes.
    static func read(_ path: String, limit: Int) throws -> [UInt8] {
        let file = try File(reading: path)
        let length = try file.length()
        guard length <= limit else { throw BadInput(path, "has \(length) bytes, at most \(limit) are expected") }
        var bytes = [UInt8](repeating: 0, count: length)
        guard try bytes.withUnsafeMutableBytes({ try file.read(into: $0, at: 0) }) else { throw BadInput(path, "was cut while being read") }
        return bytes
    }

    /// Writes a new file and waits until it is on the disk.
    static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try File(creating: path)
        try bytes.withUnsafeBytes { try file.write($0) }
        try file.synchronizeAndClose()
    }

    /// Until the directory's entries (new, renamed, removed) are on the disk.
    static func synchronizeDirectory(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("opening", path) }
        defer { close(descriptor) }
        // Some network file systems cannot synchronize directories; they write entries through.
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else { throw FileError("synchronizing", path) }
    }

    /// A directory and its parents; an existing one is fine.
    static func makeDirectory(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw CheckpointFailure("creating \(path): \(reason(error))")
        }
    }

    static func rename(_ from: String, to target: String) throws {
        guard Foundation.rename(from, target) == 0 else { throw FileError("renaming to \(target):", from) }
    }

    /// A directory with everything in it; links are removed, not followed. Nothing there is fine.
    static func remove(_ path: String) throws {
        guard exists(path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw CheckpointFailure("removing \(path): \(reason(error))")
        }
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func entries(of directory: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        } catch {
            throw BadInput(directory, "cannot be listed: \(reason(error))")
        }
    }

    private static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        return underlying.map { String(cString: strerror(Int32(truncatingIfNeeded: $0.code))) } ?? error.localizedDescription
    }
}

/// Keeps other runs from writing to a directory while this one does; released with it, or with the process. A file
/// system without locks grants it without effect.
final class DirectoryLock {
    private let descriptor: Int32

    /// Waits up to `seconds` for a holder that is about to end.
    init(_ path: String, waitSeconds seconds: Double) throws {
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("opening", path) }
        let deadline = Date(timeIntervalSinceNow: seconds)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            guard Date() < deadline else {
                close(descriptor)
                throw CheckpointFailure("\(path): another run is writing its checkpoints here")
            }
            usleep(50_000)
        }
    }

    deinit { close(descriptor) }
}
