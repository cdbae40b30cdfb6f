import Foundation
import Synchronization

/// Whether this process was asked to stop: by SIGTERM, SIGUSR1 or SIGUSR2 (schedulers send these ahead of the end of a
/// job's time), by SIGHUP (its terminal is gone), or by Ctrl-C. The signal only raises a flag; work looks at it where it can save and leave.
///
/// A signal may reach one rank and not another, or at another moment: ranks must agree on the flag before they act on it.
/// A second Ctrl-C ends the process at once, without saving.
enum StopSignal {
    /// Call once, from the main thread, before work begins. Threads and ranks that are in the middle of a system call go
    /// on with it.
    static func install() {
        requested.store(false, ordering: .relaxed)  // also makes sure that the handler finds the flag initialised
        for number in [SIGTERM, SIGUSR1, SIGUSR2] { handle(number, flags: SA_RESTART) }
        if !isIgnored(SIGHUP) { handle(SIGHUP, flags: SA_RESTART) }  // nohup means it
        // The default action, which ends the process, comes back once the handler has run.
        handle(SIGINT, flags: SA_RESTART | Int32(bitPattern: UInt32(SA_RESETHAND)))
    }

    /// True from the first signal on.
    static var isRequested: Bool { requested.load(ordering: .relaxed) }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private static func handle(_ number: Int32, flags: Int32) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in requested.store(true, ordering: .relaxed) }
        action.sa_flags = flags
        sigemptyset(&action.sa_mask)
        sigaction(number, &action, nil)
    }
}

/// One lock-free store is all that the handler does: few other things are allowed there.
private let requested = Atomic<Bool>(false)
