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
import Tokenizers
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

/// Starts a rank's part of a run: checks, threads, model and tokenizer.
struct RunContext {
    let configuration: RunConfiguration
    let communicator: Communicator
    let model: LanguageModel
    let tokenizer: Tokenizer
    /// For rank 0's messages; silent elsewhere.
    let message: (String) -> Void

    init(_ configuration: RunConfiguration, _ communicator: Communicator) throws {
        guard communicator.size <= configuration.run.shards else {
            throw ConfigurationError(
                location: configuration.source, keyPath: "run.shards",
                problem: "\(configuration.run.shards) virtual shards for \(communicator.size) ranks; expected at least one shard for each rank")
        }
        let choice = try ComputeChoice(configuration, communicator), configuration = choice.configuration
        if configuration.run.reduction == .ordered { try Self.requireEqualArithmetic(communicator, configuration) }
        Threads.start(try threadsForThisRank(configuration.run.threads, communicator: communicator))
        self.configuration = configuration
        self.communicator = communicator
        try OpenBLAS.takeBuffers(threads: Threads.count)
        Memory.setWork("while loading the model")
        let source = try ModelSource(configuration.model.path)
        model = try source.loadModel(weights: configuration.model.weights)
        model.arithmetic = EditorSetup.arithmetic(configuration)
        try model.selectModules(configuration.editor.modules)
        tokenizer = try source.loadTokenizer()
        Memory.setWork("while loading data and editor")
        let isRoot = communicator.isRoot
        message = { if isRoot { StandardError.writeLine($0) } }
        (model.loadingNotes + tokenizer.notes + [choice.note].compactMap { $0 }).forEach(message)
    }

    /// Ranks that compute with other instructions may differ in the last bit, and would edit other models without notice.
    private static func requireEqualArithmetic(_ communicator: Communicator, _ configuration: RunConfiguration) throws {
        var fingerprint = Fingerprint()
        fingerprint.mix(kernelVariant == "portable" ? "portable" : "fused")
        fingerprint.mix(OpenBLAS.core)
        fingerprint.mix(OpenBLAS.version)
        let all = try communicator.allGather(Int(truncatingIfNeeded: fingerprint.value))
        guard Set(all).count == 1 else {
            throw ConfigurationError(
                location: configuration.source, keyPath: "run.reduction",
                problem: "the ranks' processors use different kernels (\(OpenBLAS.core) on rank \(communicator.rank)), so their bits would differ; "
                    + "set OPENBLAS_CORETYPE to one that all have (Haswell), or run.reduction to fast")
        }
    }

    /// "llama, 30 layers, 12 edited modules; 2 ranks × 1 threads, avx2"
    var summary: String {
        let c = model.configuration
        return "\(c.family), \(c.layerCount) layers of \(c.hiddenSize), \(model.edited.count) edited modules; "
            + "\(communicator.size) rank\(communicator.size == 1 ? "" : "s") × \(Threads.count) thread\(Threads.count == 1 ? "" : "s"), \(kernelVariant) kernels"
    }

    /// Collective.
    func memory() throws -> RunMemory {
        RunMemory(resident: Int(try communicator.maximum(Double(ProcessMemory.peakResidentBytes))),
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
