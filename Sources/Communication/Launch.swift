/// How this process was started, as far as its environment tells.
public struct Launch: Sendable, Equatable {
    /// Whether an MPI launcher (mpirun, srun with PMIx) started this process, so that MPI must be initialised.
    public let isParallel: Bool
    /// The number of ranks the launcher announced, where it did.
    public let announcedRanks: Int?

    /// Reads the variables that launchers set: `OMPI_COMM_WORLD_SIZE` and `PMIX_RANK` (Open MPI's mpirun; srun's PMIx),
    /// `PMI_RANK` and `PMI_SIZE` (srun's PMI-2, MPICH), `SLURM_STEP_NUM_TASKS` (srun).
    ///
    /// - Throws: ``CommunicationError`` if srun started several tasks without a way for them to find each other: each
    ///   would take itself for the whole job.
    public init(environment: [String: String]) throws {
        let launcherVariables = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"]
        isParallel = launcherVariables.contains { environment[$0] != nil }
        let sizeVariables = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"]
        announcedRanks = sizeVariables.lazy.compactMap { environment[$0].flatMap { Int($0) } }.first
        if !isParallel, let tasks = announcedRanks, tasks > 1 {
            throw CommunicationError(
                "srun started \(tasks) tasks without PMIx, so they cannot find each other; "
                    + "use 'srun --mpi=pmix' or mpirun")
        }
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
