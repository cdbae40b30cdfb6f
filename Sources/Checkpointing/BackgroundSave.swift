import Foundation

/// The thread of a save: writes this rank's file and then, on rank 0, commits when all ranks have written, while training goes on. Two results:
/// what was written, and, where this thread came so far before `takeOver()`, what was committed.
///
/// `@unchecked Sendable`: all mutable state is guarded by the condition. What the closures capture is the creator's care.
final class BackgroundSave: @unchecked Sendable {
    /// What it does, in this order, on its thread.
    struct Work {
        let write: (BackgroundSave) throws -> WrittenFile
        /// nil: it was not this rank's to commit, or not yet, when it was to stop. Asks `mustStop` as often as it can.
        let commit: (WrittenFile, BackgroundSave) throws -> Committed?
    }

    private let condition = NSCondition()
    private var written: Result<WrittenFile, any Error>?
    private var committed: Result<Committed?, any Error>?
    private var isCancelled = false
    private var isTakenOver = false
    private let work: Work
    private var thread = pthread_t()

    /// Starts. Where the system gives no thread the work is done here and now.
    init(_ work: Work) {
        self.work = work
        if start() { return }
        let written = Result { try work.write(self) }
        (self.written, committed) = (written, written.map { _ in nil })
    }

    private func start() -> Bool {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 4 << 20)  // whatever ulimit -s says
        let own = Unmanaged.passRetained(self)
        condition.lock()
        defer { condition.unlock() }
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Thread.current.name = "checkpoint"
                Unmanaged<BackgroundSave>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, own.toOpaque())
        if status != 0 { own.release() }
        return status == 0
    }

    private func run() {
        let written = Result { try work.write(self) }
        locked { self.written = written }
        let committed = Result { try written.get() }.flatMap { file in Result { try work.commit(file, self) } }
        locked { self.committed = committed }
    }

    /// Whoever waits looks again.
    private func locked(_ body: () -> Void) {
        condition.lock()
        body()
        condition.broadcast()
        condition.unlock()
    }

    // MARK: For the closures

    /// Nobody wants the save any more.
    var mustEnd: Bool {
        condition.lock()
        defer { condition.unlock() }
        return isCancelled
    }

    /// Nobody wants this thread to commit any more. Waits for so long for that, unless it is so already.
    func mustStop(waiting seconds: Double = 0) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date(timeIntervalSinceNow: seconds)
        while !isCancelled, !isTakenOver, seconds > 0, condition.wait(until: deadline) {}
        return isCancelled || isTakenOver
    }

    // MARK: For the others

    /// Whether this is called on the save's own thread, which must not wait for itself.
    var isOwnThread: Bool {
        condition.lock()
        defer { condition.unlock() }
        return pthread_equal(thread, pthread_self()) != 0
    }

    /// Asks the thread to stop early.
    func cancel() { locked { isCancelled = true } }

    /// Until this rank's file is written, or cannot be.
    func waitUntilWritten() -> Result<WrittenFile, any Error> {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let written { return written }
            condition.wait()
        }
    }

    /// Leaves the rest to the caller: what was committed by then, nil if nothing was. Throws what prevented it, or the writing before.
    func takeOver() throws -> Committed? {
        condition.lock()
        defer { condition.unlock() }
        isTakenOver = true
        condition.broadcast()
        while true {
            if let committed { return try committed.get() }
            condition.wait()
        }
    }

    /// Waits for the end of the thread's work; false if that took longer. Written and committed are then known.
    func waitForEnd(seconds: Double) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date(timeIntervalSinceNow: seconds)
        while committed == nil {
            guard condition.wait(until: deadline) else { return committed != nil }
        }
        return true
    }
}
