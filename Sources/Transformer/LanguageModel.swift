import CKernels
import LinearAlgebra
import TensorCore

/// A decoder-only transformer whose weights are frozen, computed in float32. Only the edits of its `Linear` layers change.
///
/// Legend: T packed tokens, R suffix rows (those that carry gradients), A predictions, d hiddenSize.
/// Used from one thread at a time; its loops run on the process's threads.
public final class LanguageModel {
    /// One transformer layer: x += o(attention(norm(x))); x += down(silu(gate(norm(x))) ∘ up(norm(x))).
    final class Layer {
        let attentionNorm: Matrix  // [1, d]
        let query, key, value, output: Linear
        let feedForwardNorm: Matrix  // [1, d]
        let gate, up, down: Linear

        init(attentionNorm: Matrix, query: Linear, key: Linear, value: Linear, output: Linear,
             feedForwardNorm: Matrix, gate: Linear, up: Linear, down: Linear) {
            self.attentionNorm = attentionNorm
            (self.query, self.key, self.value, self.output) = (query, key, value, output)
            self.feedForwardNorm = feedForwardNorm
            (self.gate, self.up, self.down) = (gate, up, down)
        }
    }

    public let configuration: DecoderConfiguration
    let embedding: WeightMatrix  // [vocabulary, d]
    let head: WeightMatrix  // [vocabulary, d]; the embedding where tied
    let layers: [Layer]
    let finalNorm: Matrix  // [1, d]
    let rotary: Rotary

    /// The modules being edited, in configuration order.
    public private(set) var edited: [Linear] = []
    /// The lowest layer with an edited module: what comes before its feed-forward part never changes.
    private(set) var firstEditedLayer = 0

    init(configuration: DecoderConfiguration, embedding: WeightMatrix, head: WeightMatrix, layers: [Layer], finalNorm: Matrix) {
        self.configuration = configuration
        self.embedding = embedding
        self.head = head
        self.layers = layers
        self.finalNorm = finalNorm
        rotary = Rotary(configuration.rotary, headSize: configuration.headSize, positions: min(configuration.contextLength, 8192))
        firstEditedLayer = layers.count
    }

    /// The modules that can be edited, bottom first.
    public var editableModules: [Linear] { layers.flatMap { [$0.gate, $0.up, $0.down] } }

    /// Longest packed sequence that positions are known for.
    public var longestSequence: Int { rotary.positions }

    /// Throws `BadInput` at `location` unless the model can read the sequence `tokens`.
    public func check(_ tokens: [Int32], of location: String) throws {
        guard tokens.count <= longestSequence else {
            throw BadInput(location, "has a sequence of \(tokens.count) tokens; at most \(longestSequence) are supported with this model")
        }
        if let token = tokens.first(where: { $0 < 0 || $0 >= configuration.vocabularySize }) {
            throw BadInput(location, "has the token \(token); the model's vocabulary ends at \(configuration.vocabularySize - 1)")
        }
    }

    /// Chooses the modules to edit, by patterns such as `model.layers.11-15.mlp.gate_proj`.
    public func selectModules(_ patterns: [String]) throws {
        edited = try ModulePattern.expand(patterns, among: editableModules)
        firstEditedLayer = layers.firstIndex { layer in [layer.gate, layer.up, layer.down].contains { isEdited($0) } } ?? layers.count
    }

    /// Drops every edit.
    public func restore() {
        for module in edited { module.restore() }
    }

    /// Tells models apart: taken over the sizes and over one row of every layer's weights and the last norm, as float32. Equal for equal
    /// weights, whatever file they came from.
    public var fingerprint: String {
        var fingerprint = Fingerprint()
        let c = configuration
        for size in [c.hiddenSize, c.intermediateSize, c.layerCount, c.headCount, c.keyValueHeadCount, c.headSize, c.vocabularySize] {
            fingerprint.mix(UInt32(truncatingIfNeeded: size))
        }
        for value in finalNorm.elements { fingerprint.mix(value.bitPattern) }
        for (index, layer) in layers.enumerated() {
            for linear in [layer.query, layer.key, layer.value, layer.output, layer.gate, layer.up, layer.down] {
                for value in linear.frozenRow(index % linear.valueSize) { fingerprint.mix(value.bitPattern) }
            }
        }
        return fingerprint.text
    }

    func isEdited(_ module: Linear) -> Bool { edited.contains { $0 === module } }
}

/// The residual stream that the frozen part of the model leaves of a pack: everything up to the feed-forward part of the
/// lowest edited layer. It stays valid for every later use of the pack, whatever the edits.
public struct FrozenPrefix: Sendable {
    let hidden: Matrix  // [T, d]
}

/// What a forward pass keeps for the backward pass, on suffix rows.
final class Tape {
    struct LayerRecord {
        var input: Matrix?  // [R, d]; nil at the lowest edited layer, where backward stops before attention
        var query: Matrix?  // [R, heads · headSize], turned
        var key: Matrix?  // [T, keyValueHeads · headSize], turned
        var value: Matrix?  // [T, keyValueHeads · headSize]
        var middle: Matrix  // [R, d], after attention
        var gate: Matrix  // [R, intermediate]
        var up: Matrix  // [R, intermediate]
    }

    let suffix: SuffixRows
    var records: [LayerRecord] = []  // from the lowest edited layer up

    init(suffix: SuffixRows) { self.suffix = suffix }
}
