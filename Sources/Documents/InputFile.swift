import Foundation
import TensorCore

/// Files that a user supplies, read whole.
package enum InputFile {
    /// Reads to the end: of a file, or of a pipe, which may give its bytes in pieces. Never more than `limit` + 1 bytes are held.
    ///
    /// Throws `BadInput` for what cannot be read, is a directory, has more than `limit` bytes, or is a Git LFS pointer; `what` is what was
    /// expected: "a tokenizer".
    package static func read(_ path: String, atMost limit: Int, what: String) throws -> [UInt8] {
        let place = oneLine(path)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw BadInput(place, errno == ENOENT ? "there is no such file; expected \(what)" : "cannot be read: \(reason)")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw BadInput(place, "cannot be read: \(reason)") }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw BadInput(place, "is a directory; expected \(what)") }

        var bytes: [UInt8] = []
        var room = min(max(Int(status.st_size), 0), limit) + 1  // one more than a file has, so that its end is seen
        while bytes.count <= limit {
            let piece = try piece(of: descriptor, room: room, place)
            bytes = bytes.isEmpty ? piece : bytes + piece
            if piece.count < room { break }
            room = min(limit + 1 - bytes.count, max(1 << 16, bytes.count))
        }
        guard bytes.count <= limit else { throw BadInput(place, "is larger than \(limit) bytes, the most that \(what) may have") }
        if let problem = problem(ofGitLFSPointer: bytes) { throw BadInput(place, problem) }
        return bytes
    }

    /// Shorter than `room` only at the end.
    private static func piece(of descriptor: Int32, room: Int, _ place: String) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
            while filled < room {
                let count = Foundation.read(descriptor, buffer.baseAddress.map { $0 + filled }, room - filled)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw BadInput(place, "cannot be read: \(reason)") }
                if count == 0 { break }
                filled += count
            }
        }
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
