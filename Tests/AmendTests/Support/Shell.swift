import Foundation
import TestSupport

extension TinyRun {
    /// Runs a command line of bash, in which `$amend` is the program and `$run` this run's configuration: for redirections, limits and signals.
    func shell(_ script: String, timeoutSeconds: Double = 120) throws -> ProgramResult {
        try TestSupport.run(
            program: URL(fileURLWithPath: "/bin/bash"), arguments: ["-c", script],
            environment: [
                "amend": builtProgram("amend").path, "run": file("run.yaml").path, "TMPDIR": directory.path,
                "mpirun": "mpirun --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none --mca mpi_yield_when_idle 1",
                "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_btl_vader_backing_directory": directory.path,
            ], timeoutSeconds: timeoutSeconds)
    }
}
