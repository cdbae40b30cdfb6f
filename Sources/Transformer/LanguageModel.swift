import LinearAlgebra
import TensorCore

/// A decoder-only transformer whose weights are frozen. Only the edits of its `Linear` layers change.
///
/// Legend: T packed tokens, Q of them that ask, R suffix rows (those that carry gradients), A predictions, d hiddenSize.
/// Used from one thread at a time; its loops run on the process's threads.
package final class LanguageModel {
    package let configuration: DecoderConfiguration
    let embedding: WeightMatrix  // [vocabulary, d]
    let positionEmbedding: WeightMatrix?  // [positions, d]
    let layers: [DecoderLayer]
    let finalNorm: Norm
    let head: WeightMatrix  // [vocabulary, d]; the embedding where tied
    let headBias: Matrix?  // [1, vocabulary]

    /// Longest packed sequence that positions are known for.
    package let longestSequence: Int
    static let mostPositions = 8192

    /// Of products with weights; everything else is float32.
    package var arithmetic = Arithmetic.float32 {
        didSet { for layer in layers { for module in layer.modules { module.arithmetic = arithmetic } } }
    }

    /// What is to be said of how the model's files were understood, a line each: where they contradict themselves.
    package let loadingNotes: [String]

    package let weightMemory: WeightMemory
    private let weights: [WeightMatrix]

    /// The modules being edited, in configuration order.
    package private(set) var edited: [Linear] = []
    /// The lowest layer with an edited module: what comes before its feed-forward part never changes.
    private(set) var firstEditedLayer = 0
    private(set) var lastEditedLayer = -1

    struct Parts {
        var embedding: WeightMatrix
        var positionEmbedding: WeightMatrix?
        var layers: [DecoderLayer]
        var finalNorm: Norm
        var head: WeightMatrix
        var headBias: Matrix?
    }

    init(_ configuration: DecoderConfiguration, _ parts: Parts, notes: [String] = []) {
        self.configuration = configuration
        loadingNotes = notes
        embedding = parts.embedding
        positionEmbedding = parts.positionEmbedding
        layers = parts.layers
        finalNorm = parts.finalNorm
        head = parts.head
        headBias = parts.headBias
        longestSequence = min(configuration.contextLength, Self.mostPositions)
        firstEditedLayer = layers.count
        let weights = Self.weights(configuration, parts)
        weightMemory = WeightMemory(mapped: weights.reduce(0) { $0 + $1.mappedBytes }, owned: weights.reduce(0) { $0 + $1.privateBytes })
        self.weights = weights
    }

    private static func weights(_ configuration: DecoderConfiguration, _ parts: Parts) -> [WeightMatrix] {
        parts.layers.flatMap { $0.modules.map(\.weight) }
            + [parts.embedding, parts.positionEmbedding, configuration.hasTiedHead ? nil : parts.head].compactMap { $0 }
    }

    /// The modules that can be edited, bottom first.
    package var editableModules: [Linear] { layers.flatMap(\.feedForwardModules) }

    /// Patterns that name the editable modules of one kind in all layers, with one of them.
    package var editableModuleGroups: [(pattern: String, first: Linear)] { ModulePattern.groups(editableModules) }

    /// Throws `BadInput` at `location` unless the model can read the sequence `tokens`.
    package func check(_ tokens: [Int32], of location: String) throws {
        guard tokens.count <= longestSequence else {
            throw BadInput(
                location,
                "has a sequence of \(tokens.count) tokens; at most \(longestSequence) are supported with this model"
                    + (longestSequence < Self.mostPositions ? " (max_position_embeddings, context_length)" : ""))
        }
        if let token = tokens.first(where: { $0 < 0 || $0 >= configuration.vocabularySize }) {
            throw BadInput(location, "has the token \(token); the model's vocabulary ends at \(configuration.vocabularySize - 1)")
        }
    }

    /// See `check`.
    package func canRead(_ tokens: [Int32]) -> Bool { (try? check(tokens, of: "")) != nil }

    /// Chooses the modules to edit, by patterns such as `model.layers.11-15.mlp.gate_proj`.
    package func selectModules(_ patterns: [String]) throws {
        edited = try ModulePattern.expand(patterns, among: editableModules)
        let isEditedLayer = layers.map { $0.feedForwardModules.contains { isEdited($0) } }
        firstEditedLayer = isEditedLayer.firstIndex(of: true) ?? layers.count
        lastEditedLayer = isEditedLayer.lastIndex(of: true) ?? -1
    }

    /// What `body` gives with only the modules of these places among the edited ones being edited; all keep what edits they have. The frozen part then ends below these.
    package func editing<Value>(_ places: [Int], _ body: () throws -> Value) throws -> Value {
        let names = edited.map(\.name)
        // They were found by these names.
        defer { try? selectModules(names) }
        try selectModules(places.map { names[$0] })
        return try body()
    }

    /// Whether what a layer's module makes is normed before it is added to the layer's token.
    package func isNormedBehind(_ module: Linear) -> Bool { layers.contains { $0.down === module && $0.feedForwardOutputNorm != nil } }

    /// The layer of a module, and whether it writes what its layer adds to a token.
    package func place(of module: Linear) -> (layer: Int, writes: Bool)? {
        layers.firstIndex { $0.feedForwardModules.contains { $0 === module } }.map { ($0, layers[$0].down === module) }
    }

    /// What `body` gives with every edit dropped; whatever it edits, the model's own edits are back afterwards.
    package func unedited<Value>(_ body: () throws -> Value) rethrows -> Value {
        let edits = edited.map(\.edit)
        defer { for (module, edit) in zip(edited, edits) { module.setEdit(edit) } }
        restore()
        return try body()
    }

    /// Drops every edit.
    package func restore() {
        for module in edited { module.restore() }
    }

    /// Tells models apart: taken over the sizes and over one row of every layer's weights and the last norm, as float32. Equal for equal
    /// weights, whatever file they came from.
    package var fingerprint: String {
        var fingerprint = Fingerprint()
        let c = configuration
        for size in [c.hiddenSize, c.intermediateSize, c.layerCount, c.headCount, c.keyValueHeadCount, c.headSize, c.vocabularySize] {
            fingerprint.mix(UInt32(truncatingIfNeeded: size))
        }
        for value in finalNorm.weight.elements { fingerprint.mix(value.bitPattern) }
        for (index, layer) in layers.enumerated() {
            for linear in layer.modules {
                for value in linear.frozenRow(index % linear.valueSize) { fingerprint.mix(value.bitPattern) }
            }
        }
        return fingerprint.text
    }

    /// Has layer `index`, if there is one, read from its file while another is computed. Only for models of which the kernel may not have kept
    /// all in memory: asking costs a walk over the pages.
    func prefetch(_ index: Int) {
        if layers.indices.contains(index), weightMemory.mapped > Self.mappedBytesWorthPrefetching { layers[index].prefetch() }
    }

    private static let mappedBytesWorthPrefetching = 2 << 30

    func isEdited(_ module: Linear) -> Bool { edited.contains { $0 === module } }
}

/// What the weights of a model take.
package struct WeightMemory: Sendable, Equatable {
    /// Bytes of files mapped read-only, which all processes of a machine share.
    package var mapped = 0
    /// Bytes of this process's own.
    package var owned = 0
}

extension LanguageModel {

    /// How the weights lie in memory: "q4_1", with the number of parameters.
    package var weightTypes: [(type: String, parameters: Int)] {
        var counts: [String: Int] = [:]
        for weight in weights { counts["\(weight.element)", default: 0] += weight.valueSize * weight.keySize }
        return counts.map { ($0.key, $0.value) }.sorted { ($1.parameters, $0.type) < ($0.parameters, $1.type) }
    }

    package var parameterCount: Int { weights.reduce(0) { $0 + $1.valueSize * $1.keySize } }
}

/// What the frozen part of the model leaves of a pack: everything up to the feed-forward part of the
/// lowest edited layer. It stays valid for every later use of the pack, whatever the edits.
package struct FrozenPrefix: Sendable {
    /// The residual stream.
    let hidden: Matrix  // [T, d]
    /// What the feed-forward part of the lowest edited layer reads, where that is no norm of `hidden` (parallel layers).
    let feedForwardInput: Matrix?  // [T, d]
}

/// What a forward pass keeps of one layer for the backward pass.
struct LayerRecord {
    /// What attention left behind; nil at the lowest edited layer, where backward stops before it.
    struct Attention {
        var input: Matrix  // [K, d], on the rows that carry gradients below
        var projection: DecoderLayer.Projection  // queries [R], keys and values [T]
        var output: Matrix?  // [R, d] before its norm, where there is one
    }

    /// The rows that carry gradients above and below this layer's attention.
    var rows: SuffixRows
    var inputRows: SuffixRows
    var attention: Attention?
    var middle: Matrix?  // [R, d], after attention; nil in parallel layers
    var feedForwardInput: Matrix  // [R, d], normed
    var inner: DecoderLayer.Inner  // [R]
}
