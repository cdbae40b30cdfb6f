import ArgumentParser
import Checkpointing
import Foundation
import Reporting
import StandardStreams
import TensorCore
import Transformer

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look into a checkpoint, a directory of checkpoints (the newest that is whole), or a model.")

    @Argument(help: "The checkpoint or model.", completion: .file())
    var path: String

    @Flag(help: "Print one JSON object on standard output and nothing else there.")
    var json = false

    func run() throws {
        if Self.isModel(path) { try inspectModel() } else { try inspectCheckpoint() }
    }

    private static func isModel(_ path: String) -> Bool {
        let manager = FileManager.default
        if path.hasSuffix(".gguf") || manager.fileExists(atPath: path + "/config.json") { return true }
        return ((try? manager.contentsOfDirectory(atPath: path)) ?? []).contains { $0.hasSuffix(".gguf") }
    }

    private func inspectCheckpoint() throws {
        let summary = try CheckpointSummary.read(path: path, report: StandardError.writeLine)
        if json {
            return try JSONOutput.write([
                "method": .string(summary.method), "batches": .integer(summary.batches), "digest": .string(summary.digest),
                "bytes": .integer(summary.bytes), "rawBytes": .integer(summary.rawBytes), "format": .integer(summary.format),
                "path": .string(summary.path), "ranks": .integer(summary.writers),
                "tensors": .array(
                    summary.tensors.map { tensor in
                        [
                            "name": .string(tensor.name), "shape": .array(tensor.shape.map { .integer($0) }), "type": .string(tensor.elementType.rawValue),
                            "bytes": .integer(tensor.bytes), "rawBytes": .integer(tensor.rawBytes),
                        ]
                    }),
            ])
        }
        var table = TextTable(["tensor", "shape", "type", "stored", "raw"])
        for tensor in summary.tensors {
            table.add([
                tensor.name, tensor.shape.map(String.init).joined(separator: "×"), tensor.elementType.rawValue, Quantity.bytes(tensor.bytes),
                Quantity.bytes(tensor.rawBytes),
            ])
        }
        try StandardOutput.writeLine(table.text)
        try StandardOutput.writeLine(
            """
            \(summary.path): \(summary.method) after \(summary.batches) batches, \(Quantity.bytes(summary.bytes)) stored of \(Quantity.bytes(summary.rawBytes)), \
            format \(summary.format), written by \(summary.writers) rank\(summary.writers == 1 ? "" : "s")
            digest \(summary.digest)
            """)
    }

    private func inspectModel() throws {
        Threads.start(max(1, ProcessInfo.processInfo.activeProcessorCount))
        let start = ContinuousClock.now
        let model = try ModelSource(path).loadModel(), c = model.configuration, memory = model.weightMemory
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        if json {
            return try JSONOutput.write([
                "family": .string(c.family), "parameters": .integer(model.parameterCount), "hiddenSize": .integer(c.hiddenSize),
                "intermediateSize": .integer(c.intermediateSize), "layers": .integer(c.layerCount), "heads": .integer(c.headCount),
                "keyValueHeads": .integer(c.keyValueHeadCount), "headSize": .integer(c.headSize), "vocabulary": .integer(c.vocabularySize),
                "contextLength": .integer(c.contextLength), "tiedHead": .bool(c.hasTiedHead), "notes": .array(model.loadingNotes.map { .string($0) }),
                "weights": .array(model.weightTypes.map { ["type": .string($0.type), "parameters": .integer($0.parameters)] }),
                "mappedBytes": .integer(memory.mapped), "privateBytes": .integer(memory.owned), "loadSeconds": .number(seconds),
                "editableModules": .array(
                    model.editableModules.map { ["name": .string($0.name), "keySize": .integer($0.keySize), "valueSize": .integer($0.valueSize)] }),
            ])
        }
        let types = model.weightTypes.map { "\($0.type) (\(Quantity.percent(Double($0.parameters) / Double(model.parameterCount))) %)" }.joined(separator: ", ")
        try StandardOutput.writeLine(
            """
            \(c.family): \(c.layerCount) layers, hidden \(c.hiddenSize), intermediate \(c.intermediateSize), \(c.headCount) heads of \(c.headSize) \
            (\(c.keyValueHeadCount) for keys and values), vocabulary \(c.vocabularySize), context \(c.contextLength), \(c.hasTiedHead ? "tied" : "separate") head
            \(Quantity.significant(Double(model.parameterCount) / 1e6, digits: 4)) million parameters as \(types); \
            \(Quantity.bytes(memory.mapped)) mapped from the file, \(Quantity.bytes(memory.owned)) in private memory; loaded in \
            \(Quantity.duration(seconds: seconds))
            """)
        for note in model.loadingNotes { print(note) }
        var table = TextTable(["editable modules", "keys", "values"])
        for group in model.editableModuleGroups { table.add([group.pattern, "\(group.first.keySize)", "\(group.first.valueSize)"]) }
        try StandardOutput.writeLine(table.text)
    }
}
