import LinearAlgebra
import TensorCore
import TestSupport
import Testing
import Transformer

@Suite struct EditTests {
    private let pack = PackedSequences(microBatches: [randomSequences(4)])

    @Test(arguments: Golden.families) func restoringGivesTheSameBits(family: String) throws {
        let model = try Golden(family).loadModel(), before = model.logits(of: pack)
        edit(model)
        let thin = model.logits(of: pack)
        #expect(differ(thin, before))
        edit(model, rows: 40, lane: 9)
        #expect(differ(model.logits(of: pack), thin))
        model.restore()
        expectSame(model.logits(of: pack), before, "restored")
        #expect(model.edited.allSatisfy { $0.edit.isEmpty })
    }

    /// What lies below the edits is computed once.
    @Test(arguments: Golden.families) func prefixesOutliveEdits(family: String) throws {
        let model = try Golden(family).loadModel(), prefix = model.prefix(of: pack)
        edit(model)
        expectSame(model.logits(pack, prefix).elements, model.logits(of: pack), "an old prefix")
    }

    @Test(arguments: Golden.families) func thinAndDenseFormsAgree(family: String) throws {
        let model = try Golden(family).loadModel(), plain = model.logits(of: pack)
        edit(model, rows: 10)
        #expect(model.edited.allSatisfy { $0.edit.dense == nil && $0.edit.factors?.keys.rows == 10 })
        let logits = model.logits(of: pack), rows = model.rows(of: pack, on: .answerTokens)
        #expect(relativeError(logits, plain) > 1e-3, "the edit changes nothing")
        for module in model.edited {
            let shift = module.edit.transposedShift()
            module.restore()
            module.add(shift: shift)
        }
        #expect(model.edited.allSatisfy { $0.edit.dense != nil && $0.edit.factors == nil })
        expectClose(model.logits(of: pack), logits, within: 1e-5, "logits")
        for (dense, thin) in zip(model.rows(of: pack, on: .answerTokens), rows) {
            expectClose(dense.keys.elements, thin.keys.elements, within: 1e-5, "keys")
            expectClose(dense.gradients.elements, thin.gradients.elements, within: 1e-5, "gradients")
        }
    }

    /// Edits add up, whatever form each is kept in. foldingRows is 32 · 48 / (32 + 48) = 19.
    @Test(arguments: [[5, 5], [12, 12], [19, 1, 4], [30, 3], [3, 30, 30]]) func editsAddUp(rows: [Int]) throws {
        let module = try Golden("llama").loadModel().edited[0]
        #expect(module.edit.foldingRows == 19)
        let expected = Matrix(rows: module.valueSize, columns: module.keySize)
        for (index, count) in rows.enumerated() {
            let keys = normals(count, module.keySize, lane: UInt32(2 * index), scale: 1)
            let products = normals(count, module.valueSize, lane: UInt32(2 * index + 1), scale: 1)
            module.add(keys: keys, products: products)
            multiply(products.transposed, keys.operand, into: expected, accumulate: true)
            #expect((module.edit.factors?.keys.rows ?? 0) <= 19)
        }
        let edit = module.edit, x = normals(7, module.keySize, lane: 90, scale: 1)
        expectClose(edit.materialized().elements, expected.elements, within: 1e-6, "ΔW")
        expectClose(edit.applied(to: x).elements, multiply(x.operand, expected.transposed).elements, within: 1e-5, "x ΔWᵀ")
        let transposed = edit.transposedShift()
        #expect(transposed.rows == module.keySize && transposed[3, 5] == edit.materialized()[5, 3])
        expectSame(multiply(x.operand, transposed.operand).elements, multiply(x.operand, edit.materialized().transposed).elements, "x ΔWᵀ")
    }

    /// Σ k kᵀ is the same whether keys are kept as they came or as their second moment. Keys have 48 entries.
    @Test(arguments: [[5, 7], [30, 18], [30, 19], [60, 3], [60, 3, 60]]) func heldKeysAddUp(rows: [Int]) throws {
        let module = try Golden("llama").loadModel().edited[0], size = module.keySize
        let expected = Matrix(rows: size, columns: size)
        for (index, count) in rows.enumerated() {
            let keys = normals(count, size, lane: UInt32(index), scale: 1)
            module.hold(keys: keys)
            multiply(keys.transposed, keys.operand, into: expected, accumulate: true)
            #expect((module.edit.held.rows?.rows ?? 0) <= size)
        }
        let held = module.edit.held, sum = Matrix(rows: size, columns: size)
        #expect((held.moment != nil) == (rows.reduce(0, +) > size) && !held.isEmpty && module.edit.isEmpty)
        held.add(to: sum, weight: 0.5)
        expectClose(sum.elements, expected.elements.map { $0 / 2 }, within: 1e-5, "Σ k kᵀ / 2")
        module.restore()
        #expect(module.edit.held.isEmpty)
    }

    /// A kept edit is a value: what is added to the module later does not reach it.
    @Test(arguments: Golden.families) func keptEditsCanBePutBack(family: String) throws {
        let model = try Golden(family).loadModel()
        for rows in [3, 30] {
            model.restore()
            edit(model, rows: rows)
            let kept = model.edited.map(\.edit), logits = model.logits(of: pack)
            edit(model, rows: 25, lane: 40)
            for module in model.edited { module.add(shift: normals(module.keySize, module.valueSize, lane: 99, scale: 0.1)) }
            for (module, edit) in zip(model.edited, kept) { module.setEdit(edit) }
            expectSame(model.logits(of: pack), logits, "\(rows) rows")
        }
    }

    @Test func addingNoRowsChangesNothing() throws {
        let model = try Golden("llama").loadModel()
        edit(model, rows: 0)
        #expect(model.edited.allSatisfy { $0.edit.isEmpty })
    }
}
