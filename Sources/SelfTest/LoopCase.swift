import Communication
import Datasets
import Editing
import Editors
import Foundation
import Settings
import TensorCore
import Tokenization
import Transformer
import WeightFiles

/// One editor that is a loop of its own over the edits, on one tiny model: two batches, one on top of the other.
enum LoopCase {
    private struct Description: Decodable {
        let method: String, family: String
        let modules: [String]
        /// Of the method, as a configuration has them.
        let settings: [String: String]
        let seed: UInt64
    }

    static func run(_ directory: String, _ name: String) throws -> CaseResult.Outcome {
        let path = "\(directory)/loops/\(name)"
        guard let data = FileManager.default.contents(atPath: path + "/case.json") else { throw BadInput(path + "/case.json", "cannot be read") }
        let description: Description
        do { description = try JSONDecoder().decode(Description.self, from: data) } catch { throw BadInput(path + "/case.json", "is not a case of a loop: \(error)") }
        guard let method = EditingMethod.named(description.method), let kind = method.loop else { return .notSupported("the editor \(description.method) is not built") }
        let model: LanguageModel
        do { model = try ModelSource("\(directory)/models/\(description.family)").loadModel() } catch let error as UnsupportedFamily { return .notSupported("\(error)") }
        try model.selectModules(description.modules)
        let tensors = try SafetensorsFile(path: path + "/tensors.safetensors")
        func sequences(_ prefix: String) throws -> [[TokenSequence]] {
            try (0...).lazy.prefix { tensors.tensor("\(prefix).\($0).input_ids") != nil }.map { try PaddedBatch(tensors, prefix: "\(prefix).\($0).").sequences }
        }
        /// Of batch `number` each edit's prompt, the same behind other text, or what its subject is said to be, each with a place in it.
        func values(_ kind: String, _ number: Int) throws -> [[TokenSequence]] {
            try (0...).lazy.prefix { tensors.tensor("edit.\(number).value.\($0).\(kind).input_ids") != nil }.map { edit in
                let name = "edit.\(number).value.\(edit).\(kind).", place = Int(try integers(tensors, name + "place")[0])
                return try PaddedBatch(tensors, prefix: name).sequences.map { sequence in
                    var placed = TokenSequence(prompt: sequence.prompt, answer: sequence.answer, subject: place..<place + 1)
                    placed.edit = edit
                    return placed
                }
            }
        }
        let plain = try sequences("plain.0.text")
        var options = EditorOptions(steps: 1, rank: 1, blocks: 1, innerLearningRate: 1, hasNetworkPerStep: false, seed: description.seed)
        options.use(method)
        let shapes = model.edited.map { ModuleShape(keySize: $0.keySize, valueSize: $0.valueSize) }
        let engine = EditEngine(
            model: model, editor: Editor(options, shapes: shapes, ownership: .everything(pieces: 8)), rule: method.rule,
            work: ShardedWork(communicator: Communicator(), shards: 8))
        let settings = try settings(description, path)
        engine.preservation.earlierWeight = Float(settings.earlierWeight)
        if kind.preserves { try engine.takeBackground(from: plain, weight: Float(settings.backgroundWeight), share: settings.backgroundShare) }
        engine.loop = try kind.loop(settings, for: engine, context: LoopContext(seed: description.seed, source: path) { plain })
        var comparison = Comparison()
        for number in 0... where tensors.tensor("edit.\(number).edit.0.input_ids") != nil {
            let own = try values("own", number)
            // A batch has edits in the order of their lengths, not of their numbers.
            var batch = EditBatch(edits: try own.isEmpty ? sequences("edit.\(number).edit") : own.reversed(), rephrasings: [], unrelated: [])
            (batch.prefixed, batch.essences) = (try values("prefixed", number), try values("essence", number))
            try engine.apply(batch, place: "batch \(number + 1)")
            for module in model.edited {
                let name = "edited.\(number).\(module.name).delta"
                comparison.compare(
                    name, (module.isStoredTransposed ? module.edit.transposedShift() : module.edit.materialized()).elements, try floats(tensors, name).elements,
                    tolerance: 1e-3)
            }
            if tensors.tensor("edit.\(number + 1).edit.0.input_ids") == nil { break }
        }
        return comparison.outcome
    }

    private static func settings(_ description: Description, _ path: String) throws -> Section<EditorSettings> {
        guard let method = EditingMethod.named(description.method) else { preconditionFailure("a method that is not built") }
        let lines = description.settings.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\n" }.joined()
        let written = try Written.text("modules: [\(description.modules.joined(separator: ", "))]\n" + lines, source: path, overrides: [])
        let settings = EditorSettings(method, .sequential), reader = try SectionReader(written, keys: settings.settings.map(\.name), source: path)
        try reader.refuseKeys(except: settings.settings.map(\.name))
        return try Section(settings, reader)
    }
}
