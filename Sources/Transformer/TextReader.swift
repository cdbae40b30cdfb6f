import CKernels
import Foundation
import TensorCore

/// Reads one text piece by piece on the model as it is edited, keeping the keys and values of what it has read.
package final class TextReader {
    private let model: LanguageModel
    private let keys: [Matrix]  // for each layer [capacity, keyValueHeads · size], turned
    private let values: [Matrix]
    package let capacity: Int
    /// Tokens read so far.
    package private(set) var count = 0

    /// `capacity`: tokens that will be read at most, no more than the model's `longestSequence`.
    package init(_ model: LanguageModel, capacity: Int) {
        precondition(capacity <= model.longestSequence, "\(capacity) tokens for a model of \(model.longestSequence)")
        self.model = model
        self.capacity = capacity
        let size = model.configuration.keyValueSize
        keys = model.layers.map { _ in Matrix(uninitializedRows: capacity, columns: size) }
        values = model.layers.map { _ in Matrix(uninitializedRows: capacity, columns: size) }
    }

    /// Reads `tokens`, at least one; returns the logits of what follows the last.
    package func read(_ tokens: [Int32]) -> [Float] {
        precondition(!tokens.isEmpty && count + tokens.count <= capacity, "\(tokens.count) tokens after \(count) of \(capacity)")
        let positions = (count..<count + tokens.count).map { Int32($0) }
        let hidden = model.embed(tokens, positions: positions)
        for (index, layer) in model.layers.enumerated() {
            let normed = layer.inputNorm.forward(hidden)
            let projection = layer.project(normed, positions: positions, asking: normed, askingPositions: positions)
            keys[index].rows(count..<count + tokens.count).assign(projection.key)
            values[index].rows(count..<count + tokens.count).assign(projection.value)
            let all = PackedSequences.Segment(first: 0, count: count + tokens.count, answers: 0)
            let mixed = layer.attend(projection.query, keys[index], values[index], [layer.raw(all, queries: tokens.count)], queryOffsets: [0])
            _ = layer.addAttention(mixed, to: hidden)
            _ = layer.addFeedForward(layer.feedForwardNorm?.forward(hidden) ?? normed, to: hidden)
        }
        count += tokens.count
        return model.logits(model.finalNorm.forward(hidden.rows(tokens.count - 1..<tokens.count))).elements
    }
}

/// How the next token is chosen of its logits.
package struct TokenChoice: Sendable {
    /// 0: the most likely token. Otherwise logits are divided by it before one is drawn.
    package var temperature: Double
    /// Draw among this many of the most likely tokens only; 0: among all.
    package var topK: Int
    /// Draw among the most likely tokens that together have at least this probability.
    package var topP: Double
    private let stream: RandomStream

    package init(temperature: Double = 0, topK: Int = 0, topP: Double = 1, seed: UInt64 = 1, lane: UInt32 = 0) {
        precondition(temperature >= 0 && topK >= 0 && topP > 0 && topP <= 1, "temperature \(temperature), top k \(topK), top p \(topP)")
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        stream = RandomStream(seed: seed, purpose: .generation, lane: lane)
    }

    /// The token number `index` of a continuation; of equally likely ones the first.
    package func token(_ logits: [Float], index: Int) -> Int32 {
        if temperature == 0 { return Int32(logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }) }
        var order = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }
        if topK > 0 { order = Array(order.prefix(topK)) }
        let top = Double(logits[order[0]])
        let weights = order.map { exp((Double(logits[$0]) - top) / temperature) }
        let total = weights.reduce(0, +)
        var kept = 0, mass = 0.0
        repeat {  // at least one: of logits that are no numbers, the total is none either
            mass += weights[kept]
            kept += 1
        } while kept < order.count && mass < topP * total
        var rest = Double(stream.block(UInt64(index)).0) / 4_294_967_296 * mass
        for place in 0..<kept {
            rest -= weights[place]
            if rest < 0 { return Int32(order[place]) }
        }
        return Int32(order[kept - 1])
    }
}
