import Communication
import Editors
import LinearAlgebra
import TensorCore
import Tokenization
import Transformer

/// What edits should leave alone, beside what the method's loss says: see `ShiftSystem`.
package struct Preservation: Sendable {
    /// ν: what moving a contrasting prompt's keys costs; 0: they are not asked.
    package var contrastWeight: Float = 0
    /// Which of their keys.
    package var contrastPositions = EditorOptions.Positions.answer
    /// Of every edited module; nil: plain text is not asked.
    package var backgrounds: [Background]?
    /// What moving the prompts of edits costs that the model carries; 0: they are not asked.
    package var earlierWeight: Float = 0

    package init() {}
}

/// A batch's edits, packed.
struct EditPack {
    let edits: ShardedPack
    /// The same prompts with other subjects; nil where they do not count.
    let contrasts: ShardedPack?
}

extension EditEngine {
    /// What edits should leave alone of each edited module, the model carrying what it does.
    func backgrounds(place: String) throws -> [Background]? {
        guard preservation.earlierWeight > 0, model.edited.contains(where: { !$0.edit.held.isEmpty }) else { return preservation.backgrounds }
        return try work.phases.measure(.solve) {
            try model.edited.enumerated().map { index, module in
                do {
                    let plain = try preservation.backgrounds?[index] ?? Background(keySize: module.keySize)
                    return try plain.holding(module.edit.held, weight: preservation.earlierWeight)
                } catch { throw NumericalFailure("\(place), the edits before it, \(module.name): \(error)") }
            }
        }
    }

    /// Has later edits leave alone the prompts of these, which have been made.
    func hold(_ batch: EditPack) throws {
        guard preservation.earlierWeight > 0 else { return }
        try work.phases.measure(.capture) {
            for (module, keys) in zip(model.edited, try captureKeys(of: batch.edits, at: .all)) {
                keys.shortenRows()
                module.hold(keys: keys)
            }
        }
    }

    /// Runs plain text through the unedited model and takes from it what edits should leave alone, with weight μ, and altogether along the directions that hold `share` of its keys' second moment. Collective; the same bits on any number
    /// of ranks.
    package func takeBackground(from passages: [[TokenSequence]], weight: Float, share: Double) throws {
        let pack = pack(passages)
        let longest = try longestKeys(of: pack)
        var sums = MomentSums(modules: model.edited.count, shards: work.ownShards.count)
        for chunk in pack.chunks {
            model.captureKeys(chunk.pack, chunk.prefix, on: .allTokens) { module, keys in
                for piece in chunk.pieces {
                    let rows = keys.rows(piece.tokens)
                    rows.shortenRows(to: longest[module])
                    sums.add(rows, module: module, shard: piece.shard)
                }
            }
        }
        let count = passages.joined().reduce(0) { $0 + $1.fedCount }
        preservation.backgrounds = try model.edited.enumerated().map { index, module in
            let sum = try sums.sum(of: index, pack, work, size: module.keySize)
            do { return try Background(sum: sum, count: count, weight: weight, share: share) } catch {
                throw NumericalFailure("plain text, \(module.name): \(error)")
            }
        }
    }

    /// Of each edited module, how long a key of plain text may be: see `KeyLength`. Collective.
    private func longestKeys(of pack: ShardedPack) throws -> [Float] {
        let counts = pack.rowCounts(.all).ofRanks
        var own = model.edited.map { _ in [Float]() }
        for chunk in pack.chunks {
            model.captureKeys(chunk.pack, chunk.prefix, on: .allTokens) { module, keys in
                for piece in chunk.pieces { own[module] += KeyLength.all(keys.rows(piece.tokens)) }
            }
        }
        return try own.map { lengths in
            let mine = Matrix(rows: lengths.count, columns: 1)
            for (row, length) in lengths.enumerated() { mine[row, 0] = length }
            let all = try work.gatherRows(mine, counts: counts)
            return KeyLength.longest((0..<all.rows).map { all[$0, 0] })
        }
    }
}
