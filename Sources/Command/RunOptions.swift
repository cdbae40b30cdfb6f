import Amend
import ArgumentParser
import Communication
import Configuration
import Editing
import Foundation
import LinearAlgebra
import Reporting
import Settings
import StandardStreams
import TensorCore
import Tokenization
import Training
import Transformer

/// The arguments that train and evaluate share.
struct RunOptions: ParsableArguments {
    @Argument(help: "The configuration, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
    var config: String

    @Argument(help: "Settings that replace the file's: key.path=value.")
    var overrides: [String] = []

    @Flag(help: "Print one JSON object on standard output and nothing else there.")
    var json = false

    func load() throws -> RunConfiguration { try RunConfiguration.load(path: config, overrides: overrides) }
}

extension RunContext {
    /// Of rank 0 alone.
    func message(_ text: String) {
        if communicator.isRoot { StandardError.writeLine(text) }
    }

    /// "llama, 30 layers, 12 edited modules; 2 ranks × 1 threads, avx2"
    var summary: String {
        let c = model.configuration
        return "\(c.family), \(c.layerCount) layers of \(c.hiddenSize), \(model.edited.count) edited modules; "
            + "\(communicator.size) rank\(communicator.size == 1 ? "" : "s") × \(Threads.count) thread\(Threads.count == 1 ? "" : "s"), \(kernelVariant) kernels"
    }

    /// Collective.
    func memory() throws -> RunMemory {
        RunMemory(
            resident: Int(try communicator.maximum(Double(ProcessMemory.peakResidentBytes))),
            owned: Int(try communicator.sum(Double(ProcessMemory.privateBytes))), mapped: model.weightMemory.mapped)
    }
}

/// What a run took of the memory.
struct RunMemory {
    /// The most that was resident in any rank, with what it touched of mapped files.
    let resident: Int
    /// Private memory, of all ranks together.
    let owned: Int
    /// Weights in mapped files, which the ranks of a machine share.
    let mapped: Int

    var text: String { "\(Quantity.bytes(owned)) of private memory in all, \(Quantity.bytes(mapped)) of weights mapped" }
}
