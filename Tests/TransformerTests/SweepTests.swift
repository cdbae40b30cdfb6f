import Foundation
import TensorCore
import TestSupport
import Testing
import Transformer

/// Changes of config.json, key by key, with transformers' logits: a part of what sweep_configuration.py tries, stored by it.
@Suite struct SweepTests {
    /// Gemma 3 in the two layouts of its multimodal releases too.
    private static let families = Golden.families + ["gemma3-images", "gemma3-images-old"]

    @Test(arguments: families) func computesWhatTransformersDoesOrRefuses(family: String) throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/sweep/\(family)", withExtension: "json"))
        let file = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        let cases = try #require(file["cases"] as? [[String: Any]])
        #expect(cases.count > 80)
        let copy = try Self.copy(family, base: file["base"] as? [String: Any]), original = copy.configuration
        let golden = try Golden(family.components(separatedBy: "-")[0]), pack = PackedSequences(microBatches: [try golden.sequences()])
        for item in cases {
            let name = "\(family): \(item["key"] ?? "") = \(item["label"] ?? "")"
            copy.configuration = Self.changed(original, item)
            if let keys = item["refused"] as? [String] {
                try expectRefusal(naming: keys, name) {
                    let model = try copy.loadModel()
                    for sequence in try golden.sequences() { try model.check(sequence.prompt + sequence.answer, of: "a sequence") }
                    return model
                }
            } else {
                try expectLogits(item, pack, name) { try copy.loadModel() }
            }
        }
    }

    /// Changes of the metadata of GGUF files, with the logits of the model that they describe: stored by sweep_metadata.py.
    @Test(arguments: ["gpt2", "llama", "qwen2", "gemma2", "gemma3"]) func computesWhatMetadataDescribe(architecture: String) throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/sweep-gguf", withExtension: "json"))
        let all = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [[String: Any]])
        let cases = all.filter { $0["architecture"] as? String == architecture }
        #expect(cases.count > 30)
        let pack = PackedSequences(microBatches: [try Golden(architecture).sequences()])
        let source = try #require(Bundle.module.url(forResource: "Fixtures/gguf/\(architecture)", withExtension: "gguf"))
        let original = GGUFParts(Array(try Data(contentsOf: source)))
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("model-\(UUID().uuidString).gguf")
        defer { try? FileManager.default.removeItem(at: file) }
        for item in cases {
            let name = "\(architecture): \(item["label"] ?? "")"
            var parts = original
            for (key, value) in try #require(item["changes"] as? [String: Any]) { parts.change(key, to: value, of: architecture) }
            try Data(parts.bytes).write(to: file)
            if let keys = item["refused"] as? [String] {
                try expectRefusal(naming: keys, name) { try ModelSource(file.path).loadModel() }
            } else {
                try expectLogits(item, pack, name) { try ModelSource(file.path).loadModel() }
            }
        }
    }

    private func expectRefusal(naming keys: [String], _ name: String, _ load: () throws -> LanguageModel) throws {
        do {
            _ = try load()
            Issue.record("\(name): not refused")
        } catch  where error is BadInput || error is UnsupportedFamily {
            #expect(keys.contains { "\(error)".contains($0) } && !"\(error)".contains { $0.isNewline }, "\(name): \(error)")
        }
    }

    /// Every so many of the logits at answers are those that the item has.
    private func expectLogits(_ item: [String: Any], _ pack: PackedSequences, _ name: String, _ load: () throws -> LanguageModel) throws {
        let expected = try #require(item["logits"] as? [NSNumber]).map { $0.floatValue }
        do {
            let logits = try load().logits(of: pack), step = max(1, logits.count / 24)
            expectClose(stride(from: 0, to: logits.count, by: step).map { logits[$0] }, expected, within: 1e-4, name)
        } catch { Issue.record("\(name): \(error)") }
    }

    /// The golden model of a family; of a multimodal release with its prefixes, and with tensors of images.
    private static func copy(_ family: String, base: [String: Any]?) throws -> ModelCopy {
        let copy = try ModelCopy(family.components(separatedBy: "-")[0])
        guard let base else { return copy }
        copy.configuration = base
        let isOld = family.hasSuffix("old")
        for (name, tensor) in copy.tensors {
            copy.tensors[name] = nil
            copy.tensors[(isOld ? "language_model.model." : "model.language_model.") + name.trimmingPrefix("model.")] = tensor
        }
        for part in ["vision_tower.vision_model.post_layernorm.weight", "multi_modal_projector.mm_soft_emb_norm.weight"] {
            copy.tensors[(isOld ? "" : "model.") + part] = ModelCopy.Tensor(type: "F32", shape: [1], bytes: [0, 0, 0, 0])
        }
        return copy
    }

    private static func changed(_ configuration: [String: Any], _ item: [String: Any]) -> [String: Any] {
        var result = configuration
        func set(_ path: String, _ value: Any?) {
            let parts = path.components(separatedBy: "/")
            guard parts.count == 2 else { return result[path] = value }
            var inner = result[parts[0]] as? [String: Any] ?? [:]
            inner[parts[1]] = value
            result[parts[0]] = inner
        }
        for (path, value) in item["set"] as? [String: Any] ?? [:] { set(path, value) }
        for path in item["drop"] as? [String] ?? [] { set(path, nil) }
        return result
    }
}

extension GGUFParts {
    /// Sets a key of the architecture, or a general one, to a JSON value; null drops it.
    fileprivate mutating func change(_ key: String, to value: Any, of architecture: String) {
        let isGeneral = ["general", "adapter", "a_tool", "quantize"].contains(key.components(separatedBy: ".")[0])
        let name = isGeneral ? key : "\(architecture).\(key)"
        metadata.removeAll { $0.key == Array(name.utf8) }
        func isBool(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
        switch value {
        case let text as String: add(name, 8, Self.string(Array(text.utf8)))
        case let list as [NSNumber]:
            let bools = list.allSatisfy(isBool)
            add(name, 9, Self.array(bools ? 7 : 4, list.map { bools ? [$0.boolValue ? 1 : 0] : littleEndian($0.uint32Value) }))
        case let number as NSNumber where isBool(number): add(name, 7, [number.boolValue ? 1 : 0])
        case let number as NSNumber where number.doubleValue == number.doubleValue.rounded(): add(name, 4, littleEndian(number.uint32Value))
        case let number as NSNumber: add(name, 6, littleEndian(number.floatValue.bitPattern))
        default: break
        }
    }
}
