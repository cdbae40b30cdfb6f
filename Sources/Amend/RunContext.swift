import Communication
import Configuration
import Editing
import LinearAlgebra
import Settings
import TensorCore
import Tokenization
import Training
import Transformer

/// Starts a rank's part of a run: checks, threads, model and tokenizer.
package struct RunContext {
    package let configuration: RunConfiguration
    package let communicator: Communicator
    package let model: LanguageModel
    package let tokenizer: Tokenizer
    /// What loading had to say.
    package let notes: [String]

    /// Collective. `threads`, where it is given, goes before the configuration's.
    package init(_ configuration: RunConfiguration, _ communicator: Communicator, threads: Int? = nil) throws {
        guard communicator.size <= configuration.run.shards else {
            throw ConfigurationError(
                location: configuration.source, keyPath: "run.shards",
                problem: "\(configuration.run.shards) virtual shards for \(communicator.size) ranks; expected at least one shard for each rank")
        }
        let choice = try ComputeChoice(configuration, communicator), configuration = choice.configuration
        if configuration.run.reduction == .ordered { try Self.requireEqualArithmetic(communicator, configuration) }
        Threads.start(try threadsForThisRank(threads ?? configuration.run.threads, communicator: communicator))
        self.configuration = configuration
        self.communicator = communicator
        try OpenBLAS.takeBuffers(threads: Threads.count)
        Memory.setActivity("while loading the model")
        let source = try ModelSource(configuration.model.path)
        model = try source.loadModel(weights: configuration.model.weights)
        model.arithmetic = configuration.arithmetic
        try model.selectModules(configuration.editor.modules)
        tokenizer = try source.loadTokenizer()
        Memory.setActivity("while loading data and editor")
        notes = model.loadingNotes + tokenizer.notes + [choice.note].compactMap(\.self)
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
}
