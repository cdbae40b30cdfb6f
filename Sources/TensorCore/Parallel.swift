import CKernels

/// The threads that numeric loops of this process run on. Set once at start, from the main thread.
public enum Threads {
    /// Starts so many, at least one, the calling thread among them.
    public static func start(_ count: Int) {
        precondition(count >= 1, "\(count) threads")
        amend_pool_start(Int32(count))
    }

    /// How many there are.
    public static var count: Int { Int(amend_pool_threads()) }
}

/// Runs `body` for every index in 0..<count, each exactly once, on the process's threads; returns when all are done.
/// Iterations must write to places of their own. Called inside another parallel loop it runs in place.
public func parallelFor(_ count: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { escaping in
        withUnsafePointer(to: escaping) { closure in
            amend_pool_run(
                count,
                { context, index in
                    context!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(index)
                }, UnsafeMutableRawPointer(mutating: closure))
        }
    }
}

/// The same in blocks of at most `grain` neighbouring indices, for bodies too short to schedule alone.
public func parallelFor(_ count: Int, grain: Int, _ body: (Int) -> Void) {
    let blocks = (count + grain - 1) / grain
    parallelFor(blocks) { block in
        for index in block * grain..<min(count, (block + 1) * grain) { body(index) }
    }
}

/// Carries a value (a pointer, mostly) into a loop whose iterations write to places of their own.
public struct UncheckedSendable<Value>: @unchecked Sendable {
    /// What is carried.
    public let value: Value
    /// Carries `value`.
    public init(_ value: Value) { self.value = value }
}
