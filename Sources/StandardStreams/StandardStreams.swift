import Foundation

/// The three streams that a process is given: the one place that makes them safe, and with `StandardOutput` and `StandardError` the
/// only one that writes to them.
package enum StandardStreams {
    /// Call before anything opens a file. A stream that was closed (`2>&-`) gets a descriptor, or the next file opened would get its number and
    /// what is written to the stream would end up inside it. And a reader that goes away (EPIPE), or a file that reaches `ulimit -f` (EFBIG), is
    /// an error of the write from now on, not a signal that ends the process.
    package static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        occupy(STDIN_FILENO, O_RDONLY)
        occupy(STDOUT_FILENO, O_RDONLY)  // closed stays unwritable: results must not vanish
        occupy(STDERR_FILENO, O_WRONLY)
    }

    /// Opens /dev/null in the place of a descriptor that is closed. Those below are open by then, so it is the lowest that is free.
    private static func occupy(_ descriptor: Int32, _ flags: Int32) {
        guard fcntl(descriptor, F_GETFD) == -1, errno == EBADF else { return }
        let opened = open("/dev/null", flags)
        guard opened >= 0, opened != descriptor else { return }
        dup2(opened, descriptor)
        close(opened)
    }
}

/// Writes to a descriptor what can be written, in as few calls as the system allows: one, for a line.
///
/// - Parameter patience: milliseconds to wait, in all, for a reader that does not read (a pipe that is full, a terminal that was halted);
///   nil: as long as it takes.
/// - Returns: 0, or the error number that ended it; ETIMEDOUT where patience did.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, patience: Int32?) -> Int32 {
    var rest = bytes
    while !rest.isEmpty {
        // With so much room a write of a piece does not block.
        let piece = patience == nil ? rest.count : min(rest.count, pieceBytes)
        if let patience, let problem = waitForRoom(descriptor, milliseconds: patience) { return problem }
        let count = write(descriptor, rest.baseAddress, piece)
        if count < 0 {
            switch errno {
            case EINTR: continue
            case EAGAIN:
                if let problem = waitForRoom(descriptor, milliseconds: patience ?? -1) { return problem }
                continue
            default: return errno
            }
        }
        guard count > 0 else { return ENOSPC }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return 0
}

/// PIPE_BUF: a pipe that takes anything without blocking takes this much, and in one piece.
private let pieceBytes = 4096

/// nil: there is room, or writing will say what is wrong. -1 milliseconds: without end.
private func waitForRoom(_ descriptor: Int32, milliseconds: Int32) -> Int32? {
    let deadline = ContinuousClock.now + .milliseconds(Int64(milliseconds))
    while true {
        let left = milliseconds < 0 ? -1 : max(0, Int32((deadline - ContinuousClock.now) / .milliseconds(1)))
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        switch poll(&request, 1, left) {
        case 0: return ETIMEDOUT
        case -1 where errno == EINTR: continue
        default: return nil
        }
    }
}
