import ArgumentParser
import Communication
import Reporting
import StandardStreams

/// `amend doctor`: what this machine offers a run, how fast it is, and what stands in the way.
struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check the machine and measure its speed.",
        discussion: """
            Run it as a job will be run: alone, or under mpirun or srun with the same options. It takes a few seconds, \
            and an idle machine, for the rates to mean something. Problems that leave a run possible do not change the \
            exit status.
            """)

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let status = Communicator.run(exitStatus: { _ in 1 }) { communicator in
            let report = try MachineReport(communicator: communicator)
            if communicator.isRoot {
                if json { try JSONOutput.write(report.json) } else { try StandardOutput.writeLine(report.text) }
            }
            try communicator.barrier()  // a launcher ends all ranks when one leaves with a status other than 0
            return report.computesCorrectly ? 0 : 1
        }
        guard status == 0 else { throw ExitCode(status) }
    }
}
