import Foundation

/// A closure on a thread of its own, and its result.
///
/// `@unchecked Sendable`: all mutable state is guarded by the condition. What the closure captures is the creator's care.
final class BackgroundTask<Value>: @unchecked Sendable {
    private let condition = NSCondition()
    private var result: Result<Value, any Error>?
    private var cancelled = false
    private let body: (BackgroundTask) throws -> Value

    init(name: String, body: @escaping (BackgroundTask) throws -> Value) {
        self.body = body
        let thread = Thread { self.run() }
        thread.name = name
        thread.start()
    }

    private func run() {
        let outcome = Result { try body(self) }
        condition.lock()
        result = outcome
        condition.broadcast()
        condition.unlock()
    }

    /// Asks the closure, which must look at `isCancelled`, to stop early.
    func cancel() {
        condition.lock()
        cancelled = true
        condition.unlock()
    }

    var isCancelled: Bool {
        condition.lock()
        defer { condition.unlock() }
        return cancelled
    }

    /// Until the closure has returned.
    func wait() -> Result<Value, any Error> {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let result { return result }
            condition.wait()
        }
    }
}
