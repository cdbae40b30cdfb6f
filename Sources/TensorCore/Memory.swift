import CKernels
import Foundation
import Synchronization

/// Memory that could not be had, where the caller can say so itself: one line with what it was for, how many bytes, and what to do.
package struct OutOfMemory: Error, CustomStringConvertible, Sendable {
    package let description: String

    /// `what`: "a work buffer of OpenBLAS".
    package init(bytes: Int, for what: String) {
        description = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 2048) { text in
            _ = amend_memory_describe(text.baseAddress, text.count, bytes, what)
            return text.baseAddress.map { String(cString: $0) } ?? ""
        }
    }
}

/// The gateway of everything large that is allocated, and what is said where there is no memory for it. Most of what allocates cannot throw:
/// a failure then ends the process with one line on standard error and status 1, after an attempt to save what is finished.
package enum Memory {
    /// `bytes` of memory for `what`, aligned to a cache line; freed by `deallocate()`. Ends the process where there is none.
    package static func allocate(bytes: Int, for what: @autoclosure () -> String) -> UnsafeMutableRawPointer {
        if let memory = amend_memory_try(64, bytes) { return memory }
        amend_memory_failed(bytes, what())
    }

    /// The same; throws ``OutOfMemory`` instead.
    package static func tryToAllocate(bytes: Int, for what: @autoclosure () -> String) throws -> UnsafeMutableRawPointer {
        guard let memory = amend_memory_try(64, bytes) else { throw OutOfMemory(bytes: bytes, for: what()) }
        return memory
    }

    /// Whether so much more could be mapped at once now. It is not kept.
    package static func has(bytes: Int) -> Bool {
        guard let start = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start != MAP_FAILED else { return false }
        munmap(start, bytes)
        return true
    }

    /// Bytes of address space that `ulimit -v` leaves to this process; nil without a limit.
    package static var roomBelowLimit: Int? {
        let bytes = amend_memory_room()
        return bytes < 0 ? nil : bytes
    }

    /// What the process is at, for the line: "training batch 3".
    package static func setActivity(_ work: String) { amend_memory_set_activity(work) }

    /// What the line begins with: "rank 1/2: ".
    package static func setSpeaker(_ speaker: String) { amend_memory_set_speaker(speaker) }

    /// What is added to the line where nothing more can be saved: "; the checkpoint of batch 2 is kept: …".
    package static func setKept(_ note: String) { amend_memory_set_kept(note) }

    /// Called, at most once, before a failure ends the process, to save what is finished; what it returns is added to the line. It may be any
    /// thread, in the middle of anything: the closure must not wait for what that thread may hold. Nil: nothing is saved.
    package static func setRescue(_ body: (@Sendable () -> String)?) {
        rescue.withLock { $0 = body }
        amend_memory_set_rescue(
            body == nil
                ? nil
                : { note, capacity in
                    guard let note, let body = rescue.withLock({ $0 }) else { return }
                    strncpy(note, body(), capacity - 1)
                })
    }
}

private let rescue = Mutex<(@Sendable () -> String)?>(nil)
