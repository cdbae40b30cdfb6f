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
                let error = try #require(throws: (any Error).self, "\(name)") { try copy.loadModel() }
                #expect(error is BadInput || error is UnsupportedFamily, "\(name): \(error)")
                #expect(keys.contains { "\(error)".contains($0) } && !"\(error)".contains { $0.isNewline }, "\(name): \(error)")
            } else {
                let expected = try #require(item["logits"] as? [NSNumber]).map { $0.floatValue }
                let logits: [Float]
                do { logits = try copy.loadModel().logits(of: pack) } catch {
                    Issue.record("\(name): \(error)")
                    continue
                }
                let step = max(1, logits.count / 24)
                expectClose(stride(from: 0, to: logits.count, by: step).map { logits[$0] }, expected, within: 1e-4, name)
            }
        }
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
