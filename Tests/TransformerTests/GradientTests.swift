import LinearAlgebra
import TensorCore
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

    /// Shifting one module's weight by a thin UᵀP changes the loss by ⟨keysᵀ gradients, UᵀP⟩, on an edited model too.
    @Test(arguments: ["model.layers.0.mlp.up_proj", "model.layers.0.mlp.down_proj"] + Golden.modules)
    func gradientsAreDerivativesOfTheLoss(name: String) throws {
        let model = try Golden("llama").loadModel(editing: [name]), module = model.edited[0], pack = pack()
        edit(model, rows: 4, lane: 5)
        let start = module.edit
        let rows = try #require(model.rows(of: pack, on: .allTokens).first)
        let keys = normals(2, module.keySize, lane: 1, scale: 1), products = normals(2, module.valueSize, lane: 2, scale: 1)
        let expected = dot(multiply(rows.keys.operand, keys.transposed), multiply(rows.gradients.operand, products.transposed))

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
