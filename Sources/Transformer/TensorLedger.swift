import Synchronization
import WeightFiles

/// Tensors of a file that no number depends on, and why.
struct HarmlessTensors: Sendable {
    let matches: @Sendable (String) -> Bool
    let reason: String

    static let frequencies = HarmlessTensors(
        matches: { $0.hasSuffix(".rotary_emb.inv_freq") || $0.hasSuffix(".attn_rot_embd.weight") },
        reason: "rotary frequencies as older releases saved them; they follow from the configuration, and transformers too computes them anew")
    static let masks = HarmlessTensors(
        matches: { $0.hasSuffix(".attn.bias") || $0.hasSuffix(".attn.masked_bias") },
        reason: "the causal mask and its fill value, which early releases saved with GPT-2 and GPT-J")
    static let images = HarmlessTensors(
        matches: { name in
            ["vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.", "v.", "mm."].contains { name.hasPrefix($0) }
        },
        reason: "of images; text alone never reaches them")
}

/// A source of tensors that remembers what was asked for, so that tensors which nothing reads can be refused by name.
final class TensorLedger: WeightSource {
    private let source: any WeightSource
    private let asked = Mutex<Set<String>>([])

    init(_ source: any WeightSource) { self.source = source }

    var path: String { source.path }
    var tensorNames: [String] { source.tensorNames }

    func tensor(_ name: String) -> StoredTensor? {
        asked.withLock { _ = $0.insert(name) }
        return source.tensor(name)
    }

    /// Throws `BadInput` unless every tensor was asked for or is harmless.
    func refuseUnread(_ harmless: [HarmlessTensors]) throws {
        var leftovers = Leftovers()
        let asked = asked.withLock { $0 }
        for name in tensorNames where !asked.contains(name) && !harmless.contains(where: { $0.matches(name) }) { leftovers.add(tensor: name) }
        try leftovers.refuse(
            path, "holds tensors that this model has no place for",
            "without them it would compute other numbers than its makers'. Is the configuration that of these weights?")
    }
}
