import Checkpointing
import Communication
import Configuration
import LinearAlgebra

/// What `run.compute=auto` stands for: what the run began with, or for a new run what is fastest on the machines of all ranks.
package struct ComputeChoice {
    /// With the arithmetic in place of `auto`.
    package let configuration: RunConfiguration
    /// What to tell the user of it; nil where nothing was to choose.
    package let note: String?

    /// Collective.
    package init(_ configuration: RunConfiguration, _ communicator: Communicator) throws {
        guard configuration.run.compute == nil else {
            (self.configuration, note) = (configuration, nil)
            return
        }
        let fastest = try Self.fastest(communicator)
        let reader = CheckpointReader(directory: configuration.checkpoint.directory, report: { _ in })  // what is damaged is reported when it is loaded
        guard let begun = try reader.newestConfiguration(exchange: communicator) else {
            self.configuration = try configuration.computing(in: fastest)
            note = "run.compute=auto: \(fastest.rawValue)"
            return
        }
        let begunWith = try RunConfiguration(recorded: begun, source: configuration.checkpoint.directory), compute = begunWith.arithmetic
        self.configuration = try configuration.computing(in: compute)
        note =
            "run.compute=auto: \(compute.rawValue), as the run in \(configuration.checkpoint.directory) began"
            + (compute == fastest ? "" : "; \(fastest.rawValue) would be faster here")
    }

    /// Where ranks run on unlike processors, float32: with another's arithmetic some would be slower than that.
    private static func fastest(_ communicator: Communicator) throws -> Arithmetic {
        let all = Arithmetic.allCases, own = all.firstIndex(of: .fastest) ?? 0
        let ranks = Set(try communicator.allGather(own))
        return ranks.count == 1 ? all[own] : .float32
    }
}
