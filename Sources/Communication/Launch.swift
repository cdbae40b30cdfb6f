import Foundation
import TensorCore

/// How this process was started, as far as its environment tells.
package struct Launch: Sendable, Equatable {
    /// Whether an MPI launcher (mpirun, srun with PMIx) started this process, so that MPI must be initialised.
    package let isParallel: Bool
    /// The number of ranks the launcher announced, where it did.
    package let announcedRanks: Int?
    /// The rank it gave this process, where it told: MPI has the last word.
    package let announcedRank: Int?

    /// Reads the variables that launchers set: `OMPI_COMM_WORLD_SIZE` and `PMIX_RANK` (Open MPI's mpirun; srun's PMIx),
    /// `PMI_RANK` and `PMI_SIZE` (srun's PMI-2, MPICH), `SLURM_STEP_NUM_TASKS` (srun).
    ///
    /// - Throws: ``CommunicationError`` if srun started several tasks without a way for them to find each other: each
    ///   would take itself for the whole job.
    package init(environment: [String: String]) throws {
        let launcherVariables = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"]
        isParallel = launcherVariables.contains { environment[$0] != nil }
        let sizeVariables = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"]
        announcedRanks = sizeVariables.lazy.compactMap { environment[$0].flatMap { Int($0) } }.first
        announcedRank = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"].lazy.compactMap { environment[$0].flatMap { Int($0) } }.first
        if !isParallel, let tasks = announcedRanks, tasks > 1 {
            throw CommunicationError(
                "srun started \(tasks) tasks without PMIx, so they cannot find each other; "
                    + "use 'srun --mpi=pmix' or mpirun")
        }
    }

    /// Open MPI without memory says so in many lines, or not at all, so it is not started where a limit leaves it too little. (Found with two ranks
    /// on one machine: 206 MB of address space.)
    ///
    /// - Throws: ``CommunicationError``; on other ranks than rank 0, which may fail alike, a moment later.
    func checkMemory() throws {
        let needed = 320 << 20
        guard let room = Memory.roomBelowLimit, room < needed else { return }
        if let announcedRank, announcedRank > 0 { usleep(2_000_000) }
        throw CommunicationError("\(speaker)\(OutOfMemory(bytes: needed, for: "Open MPI and what follows it"))")
    }

    /// What errors begin with before MPI has started: "rank 3/8: ", nothing where the launcher does not tell, or for one rank.
    var speaker: String {
        guard let announcedRank, let announcedRanks, announcedRanks > 1 else { return "" }
        return "rank \(announcedRank)/\(announcedRanks): "
    }

    /// - Throws: ``CommunicationError`` if MPI found another number of ranks than the launcher announced, as happens
    ///   under the mpirun of another MPI.
    func check(foundRanks: Int) throws {
        guard let announcedRanks, announcedRanks != foundRanks else { return }
        throw CommunicationError(
            "the launcher announced \(announcedRanks) ranks, but Open MPI found \(foundRanks); "
                + "was the job started by another MPI's mpirun, or by srun without '--mpi=pmix'?")
    }
}
