import Documents
import Foundation
import TensorCore

/// A whole file mapped read-only and shared, so that all processes of a machine that map it use one copy in memory.
/// Pages are read from the disk when first touched. Unmapped when the last reference goes; a pointer into `bytes` must
/// not outlive that.
///
/// A file that another process truncates while it is mapped raises SIGBUS on the next access, as with every mapping.
package final class MappedFile: Sendable {
    package let path: String
    /// Never empty.
    package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

    private init(path: String, bytes: UnsafeRawBufferPointer) {
        self.path = path
        self.bytes = bytes
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }

    /// Throws `BadInput` for a path that cannot be opened for reading, is no regular file, is empty, or is a Git LFS pointer.
    package static func open(_ path: String) throws -> MappedFile {
        // Without O_NONBLOCK a named pipe would block here until someone writes to it.
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw BadInput(path, "cannot be opened: \(describe(errno))") }
        defer { close(descriptor) }
        let count = try size(of: descriptor, path: path)
        guard let start = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED else {
            throw BadInput(path, "cannot be mapped: \(describe(errno))")
        }
        let file = MappedFile(path: path, bytes: UnsafeRawBufferPointer(start: start, count: count))
        if let problem = problem(ofGitLFSPointer: file.bytes) { throw BadInput(path, problem) }
        return file
    }

    private static func size(of descriptor: Int32, path: String) throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw BadInput(path, "cannot be examined: \(describe(errno))") }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw BadInput(path, "is a directory; expected a file")
        default: throw BadInput(path, "is not a regular file")
        }
        guard status.st_size > 0 else { throw BadInput(path, "the file is empty") }
        return Int(status.st_size)
    }
}

/// The system's text for an error number: "No such file or directory".
private func describe(_ code: Int32) -> String { String(cString: strerror(code)) }
