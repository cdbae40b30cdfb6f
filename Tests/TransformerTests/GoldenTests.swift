import Foundation
import TensorCore
import TestSupport
import Testing
import Transformer

@Suite struct GoldenTests {
    @Test(arguments: Golden.families) func computesWhatHuggingFaceDoes(family: String) throws {
        try expectGoldenNumbers(Golden(family), editing: Golden.modules(family))
    }

    /// What files say that a reader easily passes over, in every family that has it: the cases of make_cases.py.
    @Test(arguments: Golden.cases) func computesWhatModelFilesSay(name: String) throws {
        let golden = try Golden(case: name)
        try expectGoldenNumbers(golden, editing: golden.recordedModules)
    }

    @Test func thereAreCases() { #expect(Golden.cases.count > 40) }

    private func expectGoldenNumbers(_ golden: Golden, editing patterns: [String]) throws {
        let model = try golden.loadModel(editing: patterns), pack = PackedSequences(microBatches: [try golden.sequences()])
        expectClose(model.logits(of: pack), try golden.answerLogits(), within: 1e-4, "logits")
        let loss = model.losses(of: pack).reduce(0, +)
        expectClose([loss], try golden.matrix("loss").elements, within: 1e-4, "loss")

        let rows = model.rows(of: pack, on: .answerTokens)
        #expect(rows.map(\.module) == Array(model.edited.indices))
        for row in rows {
            let name = patterns[row.module]
            expectClose(row.keys.elements, try golden.matrix(name + ".keys").elements, within: 1e-4, name + ".keys")
            expectClose(row.gradients.elements, try golden.matrix(name + ".grads").elements, within: 1e-4, name + ".grads")
        }
    }

    /// The same numbers however much of the model lies below the edits, and in whatever order these are named.
    @Test(arguments: Golden.families) func rowsDoNotDependOnTheOtherModules(family: String) throws {
        let golden = try Golden(family), pack = PackedSequences(microBatches: [try golden.sequences()])
        let all = try golden.loadModel(editing: Golden.feedForward(family, "0-3").suffix(1) + Golden.feedForward(family, "1-2").dropLast())
        let expected = all.rows(of: pack, on: .answerTokens)
        for index in all.edited.indices {
            let alone = try golden.loadModel(editing: [all.edited[index].name])
            let rows = try #require(alone.rows(of: pack, on: .answerTokens).first)
            expectSame(rows.keys.elements, expected[index].keys.elements, "keys of \(all.edited[index].name)")
            expectSame(rows.gradients.elements, expected[index].gradients.elements, "gradients of \(all.edited[index].name)")
        }
    }

    @Test(arguments: Golden.families) func scoresAreThoseOfTheLogits(family: String) throws {
        let model = try Golden(family).loadModel()
        edit(model)
        let pack = PackedSequences(microBatches: [randomSequences(20), randomSequences(3, seed: 50)])  // more predictions than are held at a time
        #expect(pack.answerCount > 50)
        let logits = model.logits(pack, model.prefix(of: pack)), predictions = model.score(pack, model.prefix(of: pack))
        for (row, prediction) in predictions.enumerated() {
            let numbers = logits.rows(row..<row + 1).elements.map(Double.init), label = Int(pack.labels[row])
            let expected = logProbability(numbers, label)
            #expect(abs(Double(prediction.logProbability) - expected) < 1e-5)
            #expect(prediction.isMostLikely == (numbers[label] == numbers.max()))
        }
        let losses = model.losses(of: pack)
        for (row, loss) in losses.enumerated() { #expect(abs(loss + pack.weights[row] * predictions[row].logProbability) < 1e-6) }
        #expect(abs(pack.weights.reduce(0, +) - 2) < 1e-5, "each micro-batch weighs one")
    }
}

private func logProbability(_ logits: [Double], _ label: Int) -> Double {
    logits[label] - log(logits.reduce(0) { $0 + exp($1) })
}
