import Foundation
import TestSupport

struct JobFailure: Error, CustomStringConvertible {
    let description: String
}

/// A job that runs while a test watches it and interferes.
///
/// `@unchecked Sendable`: what changes is guarded by the condition.
final class Job: @unchecked Sendable {
    private let condition = NSCondition()
    private var outcome: Result<ProgramResult, any Error>?
    private let marker: String

    /// Starts `amend train` on a run, under mpirun where `ranks` is given.
    init(training run: TinyRun, ranks: Int? = nil, _ settings: [String] = []) {
        marker = run.marker
        let thread = Thread { self.end(with: Result { try run.amend("train", ranks: ranks, settings) }) }
        thread.start()
    }

    private func end(with result: Result<ProgramResult, any Error>) {
        condition.lock()
        outcome = result
        condition.broadcast()
        condition.unlock()
    }

    var isRunning: Bool {
        condition.lock()
        defer { condition.unlock() }
        return outcome == nil
    }

    /// Waits for the end of the job.
    func result() throws -> ProgramResult {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let outcome { return try outcome.get() }
            condition.wait()
        }
    }

    /// Returns when `condition` holds, which is tried every millisecond; throws if the job ends first, or after a minute.
    func wait(for what: String, until condition: () throws -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 60)
        while try !condition() {
            guard isRunning, Date() < deadline else { throw JobFailure(description: "the job \(isRunning ? "hangs" : "ended") before \(what)") }
            usleep(1000)
        }
    }

    // MARK: Signals

    /// Sends a signal to the job's processes of one program, "mpirun" or "amend".
    func send(_ signal: Int32, to program: String) {
        for process in processes where process.program == program { Foundation.kill(process.id, signal) }
    }

    /// Ends launcher and ranks in one moment: none of them can react to another's end.
    func kill() {
        for signal in [SIGSTOP, SIGKILL] {
            for process in processes { Foundation.kill(process.id, signal) }
        }
    }

    /// Those whose command line has the run's marker, which is that of a random directory.
    private var processes: [(id: pid_t, program: String)] {
        let ids = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
        return ids.compactMap { id in
            guard id != getpid(), let line = FileManager.default.contents(atPath: "/proc/\(id)/cmdline") else { return nil }
            let text = String(decoding: line, as: UTF8.self)
            guard text.contains(marker), let program = text.split(separator: "\0").first?.split(separator: "/").last else { return nil }
            return (id, String(program))
        }
    }
}
