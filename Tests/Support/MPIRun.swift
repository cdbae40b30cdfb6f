import Foundation

/// What a program that ended by itself did.
package struct ProgramResult: Sendable {
    package let status: Int32
    package let output: String
    package let errors: String
}

/// A program that could not be run to its end.
package struct ProgramFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Runs `program` on `ranks` ranks of this machine under mpirun and waits for the end of the job.
///
/// Standard input is empty. Ranks may outnumber the cores and are not bound to them: several jobs, each bound to the first
/// cores, would crowd there. For the same reason a rank that waits lets others run: by default it spins, which on a busy
/// machine makes a job of many small exchanges several times slower. The single-copy transport is off, because it prints
/// errors in containers that do not allow one process to read another's memory.
///
/// - Parameters:
///   - environment: added to this process's.
///   - timeoutSeconds: after which the job is killed.
/// - Throws: ``ProgramFailure`` on a timeout, with what the job had printed.
package func mpirun(
    ranks: Int, program: URL, arguments: [String] = [], environment: [String: String] = [:],
    timeoutSeconds: Double = 60
) throws -> ProgramResult {
    let options = [
        "--oversubscribe", "--bind-to", "none", "--mca", "btl_vader_single_copy_mechanism", "none",
        "--mca", "mpi_yield_when_idle", "1", "-np", String(ranks), program.path,
    ]
    let asRoot = ["OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"]
    return try run(
        program: URL(fileURLWithPath: "/usr/bin/env"), arguments: ["mpirun"] + options + arguments,
        environment: asRoot.merging(environment) { $1 }, timeoutSeconds: timeoutSeconds)
}

/// Runs `program` by itself and waits for its end; parameters and errors as for ``mpirun(ranks:program:arguments:environment:timeoutSeconds:)``.
package func run(
    program: URL, arguments: [String] = [], environment: [String: String] = [:], timeoutSeconds: Double = 60
) throws -> ProgramResult {
    // Files, not pipes: they never fill up, and a surviving grandchild cannot keep them open for the reader.
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let (output, errors) = (directory.appendingPathComponent("output"), directory.appendingPathComponent("errors"))

    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try fileForWriting(output)
    process.standardError = try fileForWriting(errors)
    try withoutBlockedSignals { try process.run() }
    let ended = wait(for: process, seconds: timeoutSeconds)
    if !ended { kill(process) }
    let result = ProgramResult(
        status: process.terminationStatus, output: try text(of: output), errors: try text(of: errors))
    guard ended else {
        let command = ([program.path] + arguments).joined(separator: " ")
        throw ProgramFailure(
            description: "'\(command)' was killed after \(timeoutSeconds) s; it had printed:\n\(result.output)\(result.errors)")
    }
    return result
}

/// The program `name` of this package, which the build puts next to the running test program. The test target must depend
/// on its target.
package func builtProgram(_ name: String) throws -> URL {
    let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let program = tests.deletingLastPathComponent().appendingPathComponent(name)
    guard FileManager.default.isExecutableFile(atPath: program.path) else {
        throw ProgramFailure(description: "no program '\(name)' next to the tests: \(program.path)")
    }
    return program
}

/// The threads that run tests block all signals, and a process inherits that: it would not notice a SIGTERM.
private func withoutBlockedSignals(_ start: () throws -> Void) rethrows {
    var (none, previous) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    try start()
}

private func fileForWriting(_ file: URL) throws -> FileHandle {
    try Data().write(to: file)
    return try FileHandle(forWritingTo: file)
}

private func text(of file: URL) throws -> String { String(decoding: try Data(contentsOf: file), as: UTF8.self) }

/// Whether the process ended in time.
private func wait(for process: Process, seconds: Double) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while process.isRunning {
        guard Date() < deadline else { return false }
        usleep(10_000)
    }
    return true
}

/// Ends the process: by SIGTERM first, on which mpirun also ends its ranks.
private func kill(_ process: Process) {
    process.terminate()
    if wait(for: process, seconds: 10) { return }
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
}
