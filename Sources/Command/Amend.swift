import ArgumentParser
import Checkpointing
import Communication
import Configuration
import Foundation
import LinearAlgebra
import Machine
import Settings
import StandardStreams
import TensorCore
import Training
import Transformer

@main
struct AmendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "amend",
        abstract: "Distributed meta-training of knowledge editors for large language models.",
        discussion: """
            Run `train` and `evaluate` under mpirun or srun, or alone. Exit status: 0 done, 1 failed, 2 wrong usage or configuration, \
            3 bad input file, 75 stopped early on request after saving.
            """,
        subcommands: [Train.self, Evaluate.self, Tune.self, Generate.self, Inspect.self, SelfTestCommand.self, Doctor.self, SettingsCommand.self])

    static func main() {
        Startup.prepare()
        do {
            if let name = impossibleKernels {
                throw ValidationError("AMEND_KERNELS is '\(name)'; the best kernels that this processor can run are '\(kernelVariant)'")
            }
            var command = try parseAsRoot()
            try command.run()
        } catch {
            end(after: error)
        }
    }

    private static func end(after error: any Error) -> Never {
        let code = exitCode(for: error)
        if let status = error as? ExitCode { Foundation.exit(status.rawValue) }  // a command that ended and has said why
        if code == .success { help(fullMessage(for: error)) }
        let isUsage = code == .validationFailure
        StandardError.writeLine(isUsage ? fullMessage(for: error) : "\(error)")
        Foundation.exit(isUsage ? ExitStatus.usage : ExitStatus.of(error))
    }

    private static func help(_ text: String) -> Never {
        do {
            try StandardOutput.writeLine(text)
        } catch {
            StandardError.writeLine("\(error)")
            Foundation.exit(ExitStatus.failed)
        }
        Foundation.exit(0)
    }
}

/// What the process returns.
enum ExitStatus {
    static let failed: Int32 = 1
    static let usage: Int32 = 2
    static let badInput: Int32 = 3
    static let stopped: Int32 = 75

    static func of(_ error: any Error) -> Int32 {
        switch error {
        case let failure as InterruptedTraining: of(failure.error)
        case is ConfigurationError, is ModulePatternError: usage
        case is BadInput, is UnsupportedFamily: badInput
        default: failed
        }
    }
}
