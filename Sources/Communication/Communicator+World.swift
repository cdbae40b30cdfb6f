import CMPI
import Foundation
import StandardStreams
import TensorCore

// How a job starts and ends.
//
// A rank on which an error escapes must not simply leave: its peers would wait for it for ever in their next exchange.
// It says `rank 3/8: …` on standard error and aborts the job, which ends the others within seconds; `run` does this for
// every error thrown by its body. An error that all ranks throw alike (a bad configuration) comes out once: the other
// ranks give rank 0 a moment's lead.
//
// Open MPI's mpirun exits with the status given to MPI_Abort, and with the status the ranks return after a normal end.
// It ends the remaining ranks as soon as one returns a status other than 0: nothing may be left to do after `run`.
extension Communicator {
    /// Runs `body` with the ranks of this job: all those of mpirun or srun where one of them started the process (see
    /// ``Launch``), else one rank alone. MPI is finalised when the body returns; under a launcher this can be called once
    /// in the life of the process.
    ///
    /// If the body throws while there are peers, the error is rethrown with MPI still up, because finalising would wait
    /// for them: the caller must then end the process with a status other than 0 at once. Prefer ``run(exitStatus:_:)``,
    /// or catch inside the body and call ``abort(_:status:)``.
    package static func withWorld<Result>(_ body: (Communicator) throws -> Result) throws -> Result {
        let launch = try Launch(environment: ProcessInfo.processInfo.environment)
        guard launch.isParallel else { return try body(Communicator()) }
        Memory.setSpeaker(launch.speaker)
        try launch.checkMemory()
        let communicator = try Communicator(starting: launch)
        Memory.setSpeaker(communicator.speaker)
        do {
            let result = try body(communicator)
            try communicator.finalize()
            return result
        } catch  where communicator.size == 1 {
            try? communicator.finalize()  // the body's error says more than one of MPI's after it
            throw error
        }
    }

    /// Runs a whole job and returns the exit status of this process: what `body` returned, or `exitStatus(error)` for an
    /// error it threw, which is printed on standard error. With several ranks an error does not return: it aborts the
    /// job with that status.
    ///
    /// - Parameter exitStatus: the status for an error, 1 ... 255.
    package static func run(exitStatus: (any Error) -> Int32, _ body: (Communicator) throws -> Int32) -> Int32 {
        do {
            return try withWorld { communicator in
                do {
                    return try body(communicator)
                } catch  where communicator.size > 1 {
                    communicator.giveRootTheLead()
                    communicator.abort("\(error)", status: exitStatus(error))
                }
            }
        } catch {
            StandardError.writeLine("\(error)")
            return exitStatus(error)
        }
    }

    /// Prints `rank 3/8: message` (one rank: `message`) on standard error in one write and ends the whole job with
    /// `status`, without waiting for the other ranks.
    ///
    /// - Parameter status: what mpirun, or this process alone, exits with: 1 ... 255.
    package func abort(_ message: String, status: Int32) -> Never {
        precondition((1...255).contains(status), "abort with status \(status): \(message)")
        StandardError.writeLine(speaker + message)
        if isMPIRunning { MPI_Abort(cmpi_comm_world(), status) }
        exit(status)
    }

    /// What this rank's errors begin with: "rank 3/8: ", nothing for one rank.
    private var speaker: String { size > 1 ? "rank \(rank)/\(size): " : "" }

    /// Waits long enough for rank 0, should it fail alike, to speak and to end the job.
    private func giveRootTheLead() {
        guard !isRoot else { return }
        // The launcher ends a job by SIGTERM; a handler that waits for the next batch would outlive rank 0's abort.
        signal(SIGTERM, SIG_DFL)
        usleep(2_000_000)
    }
}
