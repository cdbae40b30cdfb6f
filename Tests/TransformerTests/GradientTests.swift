import LinearAlgebra
import TensorCore
import TestSupport
import Testing
import Transformer

@Suite struct GradientTests {
    private func pack() -> PackedSequences { PackedSequences(microBatches: [randomSequences(4), randomSequences(2, seed: 30)]) }

    /// Gradients at answer rows depend on later rows only: leaving the others out changes no bit.
    @Test(arguments: Golden.families) func answerRowsAreThoseOfAllRows(family: String) throws {
        let model = try Golden(family).loadModel(), pack = pack()
        edit(model)
        let all = model.rows(of: pack, on: .allTokens), answers = model.rows(of: pack, on: .answerTokens)
        for (all, answers) in zip(all, answers) {
            #expect(all.keys.rows == pack.tokenCount && answers.keys.rows == pack.answerCount)
            for (index, row) in pack.answerRows.enumerated() {
                let name = "\(model.edited[all.module].name), row \(row)"
                expectSame(answers.keys.rows(index..<index + 1).elements, all.keys.rows(row..<row + 1).elements, "keys of \(name)")
                expectSame(answers.gradients.rows(index..<index + 1).elements, all.gradients.rows(row..<row + 1).elements, "gradients of \(name)")
            }
        }
    }

    /// A forward pass up to the last edited layer gives the keys of a backward pass, and each module's once.
    @Test(arguments: Golden.families) func keysOfAForwardPassAreThoseOfTheBackwardPass(family: String) throws {
        let model = try Golden(family).loadModel(editing: Golden.feedForward(family, "0-2")), pack = pack(), prefix = model.prefix(of: pack)
        edit(model)
        for mode in [LanguageModel.GradientRows.answerTokens, .allTokens] {
            var keys = [[Float]](repeating: [], count: model.edited.count)
            model.captureKeys(pack, prefix, on: mode) { keys[$0] += $1.elements }
            for rows in model.rows(of: pack, on: mode) { expectSame(keys[rows.module], rows.keys.elements, "keys of \(model.edited[rows.module].name)") }
        }
    }

    /// Where the last layer is not edited it computes answer rows alone, else all rows: these are the same numbers.
    @Test(arguments: Golden.families) func theLastLayersOtherRowsAreNotNeeded(family: String) throws {
        let golden = try Golden(family), pack = pack(), modules = Golden.feedForward(family, "0-2")
        let narrowed = try golden.loadModel(editing: modules)
        edit(narrowed)
        let whole = try golden.loadModel(editing: modules + Golden.feedForward(family, "3").suffix(1))
        for (from, to) in zip(narrowed.edited, whole.edited) { to.setEdit(from.edit) }
        #expect(whole.edited.last?.edit.isEmpty == true)
        expectSame(narrowed.losses(of: pack), whole.losses(of: pack), "losses")
        for rows in [LanguageModel.GradientRows.answerTokens, .allTokens] {
            for (found, expected) in zip(narrowed.rows(of: pack, on: rows), whole.rows(of: pack, on: rows)) {
                let name = "\(narrowed.edited[found.module].name) on \(rows)"
                expectSame(found.keys.elements, expected.keys.elements, "keys of \(name)")
                expectSame(found.gradients.elements, expected.gradients.elements, "gradients of \(name)")
            }
        }
    }

    /// Shifting one module's weight by a thin UᵀP changes the loss by ⟨keysᵀ gradients, UᵀP⟩, on an edited model too.
    @Test(
        arguments: Golden.families.flatMap { family in
            (Golden.feedForward(family, "0") + Golden.modules(family)).map { (family, $0) }
        })
    func gradientsAreDerivativesOfTheLoss(family: String, name: String) throws {
        let model = try Golden(family).loadModel(editing: [name]), module = model.edited[0], pack = pack()
        edit(model, rows: 4, lane: 5)
        let start = module.edit
        let rows = try #require(model.rows(of: pack, on: .allTokens).first)
        // Of several random directions that which matters most: where the loss hardly changes, its rounding would be all that is seen.
        let directions = (0..<4).map { index in
            let keys = normals(2, module.keySize, lane: UInt32(2 * index + 1), scale: 1)
            let products = normals(2, module.valueSize, lane: UInt32(2 * index + 2), scale: 1)
            let expected = dot(multiply(rows.keys.operand, keys.transposed), multiply(rows.gradients.operand, products.transposed))
            return (keys: keys, products: products, expected: expected)
        }
        let (keys, products, expected) = try #require(directions.max { abs($0.expected) < abs($1.expected) })

        func loss(shiftedBy factor: Float) -> Double {
            module.setEdit(start)
            let scaled = products.copy()
            scaled.scale(by: factor)
            module.add(keys: keys, products: scaled)
            return model.losses(of: pack).reduce(0) { $0 + Double($1) }
        }
        // Fourth-order central differences: the step can be large enough for float32 losses.
        let step: Float = 2e-3
        let near = loss(shiftedBy: step) - loss(shiftedBy: -step), far = loss(shiftedBy: 2 * step) - loss(shiftedBy: -2 * step)
        let found = (8 * near - far) / (12 * Double(step))
        #expect(abs(found - expected) < 2e-3 * abs(expected), "the loss changes by \(found), the gradient says \(expected)")
    }
}
