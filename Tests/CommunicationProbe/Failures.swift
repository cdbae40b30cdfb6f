import Communication
import Foundation
import TensorCore

/// Ends the job in one of the ways a job can end.
func fail(_ communicator: Communicator, how: String) throws -> Int32 {
    let isLast = communicator.rank == communicator.size - 1
    switch how {
    case "throw-on-last":
        if isLast { throw BadInput("facts.json", "record 7 has no 'prompt'") }
        try communicator.barrier()
    case "throw-on-all":
        throw BadInput("facts.json", "not JSON")
    case "throw-on-all-with-handler":
        signal(SIGTERM) { _ in }
        throw BadInput("facts.json", "not JSON")
    case "abort-on-last":
        if isLast { communicator.abort("no space left", status: 75) }
        try communicator.barrier()
    case "mpi-error":
        // A receive shorter than what is sent is the one error that MPI reports instead of crashing.
        var buffer = [UInt8](repeating: 0, count: communicator.isRoot ? 4096 : 16)
        try buffer.withUnsafeMutableBytes { try communicator.broadcast($0, root: 0) }
        try communicator.barrier()
    case "die-on-last":
        if isLast { kill(getpid(), SIGKILL) }
        try communicator.barrier()
    case "hang-on-last":
        if isLast { sleep(600) }
        try communicator.barrier()
    case "stop": return 75
    default: throw BadInput("arguments", "unknown failure '\(how)'")
    }
    return 0
}
