import Datasets
import Editors
import LinearAlgebra
import TensorCore
import Tokenization
import Transformer

/// Where a module's weight [v, k] can go without bending what plain text makes of the model: all but the directions of largest curvature (CrispEdit, arXiv 2602.15823).
///
/// The curvature of the loss is taken as Kronecker-factored, S ⊗ A with A = E[a aᵀ] [k, k] of the module's keys and S = E[g gᵀ] [v, v] of the gradients of its outputs. With A = Uᵢ Λᵢ Uᵢᵀ and
/// S = Uₒ Λₒ Uₒᵀ a gradient G becomes Uₒ((Uₒᵀ G Uᵢ) ∘ M)Uᵢᵀ, M = 1 where λₒ λᵢ is below a cut.
struct LowCurvature: Sendable {
    private let keys: Eigenvectors  // of A
    private let values: Eigenvectors  // of S
    /// The smallest product of eigenvalues that is left alone.
    private let cut: Float

    /// The largest products that hold `share` of the sum of all are left alone, and as few as do.
    init(keys: Matrix, values: Matrix, share: Double) throws {
        self.keys = try Eigenvectors(of: keys)
        self.values = try Eigenvectors(of: values)
        var products = [Float](), total = 0.0
        products.reserveCapacity(keys.rows * values.rows)
        for value in self.values.values { for key in self.keys.values { products.append(max(0, value) * max(0, key)) } }
        products.sort(by: >)
        for product in products { total += Double(product) }
        var sum = 0.0
        let last = products.first { product in
            sum += Double(product)
            return sum >= share * total
        }
        cut = last ?? .infinity
    }

    /// The projected ΓᵀX [v, k] of rows X and Γ.
    func gradient(_ rows: CapturedRows) -> Matrix {
        let turnedKeys = multiply(rows.keys.operand, keys.vectors.transposed), turnedGradients = multiply(rows.gradients.operand, values.vectors.transposed)
        let turned = multiply(turnedGradients.transposed, turnedKeys.operand)
        parallelFor(turned.rows, grain: 16) { row in
            let value = max(0, values.values[row])
            for column in 0..<turned.columns where value * max(0, keys.values[column]) >= cut { turned[row, column] = 0 }
        }
        return multiply(values.vectors.transposed, multiply(turned.operand, keys.vectors.operand).operand)
    }
}

extension EditEngine {
    /// Runs plain text through the unedited model, with answers drawn from its own predictions (the curvature is that of its distribution, not of a text), and finds for every edited module where its
    /// weight can go without bending them. Collective; the same bits on any number of ranks.
    func lowCurvature(of passages: [[TokenSequence]], share: Double, seed: UInt64) throws -> [LowCurvature] {
        let pack = pack(passages), stream = RandomStream(seed: seed, purpose: .curvature)
        var keys = MomentSums(modules: model.edited.count, shards: work.ownShards.count), values = keys
        var answer = pack.firstAnswer
        for chunk in pack.chunks {
            let pass = model.forwardPass(chunk.pack, chunk.prefix, on: .allTokens)
            let labels = model.drawnLabels(of: pass) { stream.uniform(UInt64(answer + $0)) }
            answer += labels.count
            _ = model.backpropagate(pass, loss: .crossEntropyOf(labels: labels)) { rows in
                for piece in chunk.pieces {
                    keys.add(rows.keys.rows(piece.tokens), module: rows.module, shard: piece.shard)
                    values.add(rows.gradients.rows(piece.tokens), module: rows.module, shard: piece.shard)
                }
            }
        }
        return try model.edited.enumerated().map { index, module in
            do {
                return try LowCurvature(
                    keys: keys.sum(of: index, pack, work, size: module.keySize), values: values.sum(of: index, pack, work, size: module.valueSize), share: share)
            } catch { throw NumericalFailure("plain text, \(module.name): \(error)") }
        }
    }
}

/// Σ x xᵀ of rows x, by module and shard.
struct MomentSums {
    private var sums: [[Matrix?]]

    init(modules: Int, shards: Int) { sums = .init(repeating: .init(repeating: nil, count: shards), count: modules) }

    mutating func add(_ rows: Matrix, module: Int, shard: Int) {
        if let sum = sums[module][shard] {
            multiply(rows.transposed, rows.operand, into: sum, accumulate: true)
        } else {
            sums[module][shard] = multiply(rows.transposed, rows.operand)
        }
    }

    /// Over all shards of all ranks. Collective.
    func sum(of module: Int, _ pack: ShardedPack, _ work: ShardedWork, size: Int) throws -> Matrix {
        try work.sum(sums[module], present: pack.isPresent, rows: size, columns: size)
    }
}
