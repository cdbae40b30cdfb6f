import TensorCore
import TestSupport
import Testing
import Tokenization
import Transformer

/// A sequence's numbers do not depend on what it is packed with, nor on the threads that compute them.
@Suite struct PackingTests {
    @Test(arguments: Golden.families) func companyChangesNoBit(family: String) throws {
        let model = try Golden(family).loadModel(), sequences = randomSequences(6)
        edit(model)
        let together = PackedSequences(microBatches: [sequences]), scores = model.logProbabilities(of: together)
        let rows = model.rows(of: together, on: .answerTokens)
        for (index, sequence) in sequences.enumerated() {
            let alone = PackedSequences(microBatches: [[sequence]]), range = together.predictions[index]
            expectSame(model.logProbabilities(of: alone), Array(scores[range]), "sequence \(index)")
            for (own, all) in zip(model.rows(of: alone, on: .answerTokens), rows) {
                expectSame(own.keys.elements, all.keys.rows(range).elements, "keys of sequence \(index)")
                // Alone its predictions weigh more.
                let ratio = together.weights[range.lowerBound] / alone.weights[0]
                expectClose(own.gradients.elements.map { $0 * ratio }, all.gradients.rows(range).elements, within: 1e-5, "gradients of sequence \(index)")
            }
        }
    }

    @Test(arguments: Golden.families) func microBatchesAreSummedApart(family: String) throws {
        let model = try Golden(family).loadModel(), first = randomSequences(3), second = randomSequences(4, seed: 40)
        let both = PackedSequences(microBatches: [first, second])
        #expect(both.microBatchTokens.count == 2 && both.microBatchTokens[1].upperBound == both.tokenCount)
        #expect(both.microBatchAnswers[0].upperBound == both.microBatchAnswers[1].lowerBound && both.microBatchAnswers[1].upperBound == both.answerCount)
        let rows = model.rows(of: both, on: .answerTokens)
        for (part, range) in zip([first, second], both.microBatchAnswers) {
            for (own, all) in zip(model.rows(of: PackedSequences(microBatches: [part]), on: .answerTokens), rows) {
                expectSame(own.gradients.elements, all.gradients.rows(range).elements, "gradients of predictions \(range)")
            }
        }
    }

    @Test func threadsChangeNoBit() async {
        await #expect(processExitsWith: .success) {
            let pack = PackedSequences(microBatches: [randomSequences(4), randomSequences(4, seed: 20)])
            let runs = try [1, 2, 3].map { threads in
                Threads.start(threads)
                return try Golden.families.map { family in
                    let model = try Golden(family).loadModel()
                    edit(model)
                    return model.logProbabilities(of: pack) + model.rows(of: pack, on: .allTokens).flatMap { $0.keys.elements + $0.gradients.elements }
                }
            }
            for (index, family) in Golden.families.enumerated() {
                expectSame(runs[1][index], runs[0][index], "\(family), two threads against one")
                expectSame(runs[2][index], runs[0][index], "\(family), three threads against one")
            }
        }
    }

    /// Answers that continue one reading of their prompt score as if each had read it.
    @Test(arguments: Golden.families) func branchesScoreAsWholeSequences(family: String) throws {
        let model = try Golden(family).loadModel()
        edit(model)
        let prompts = (0..<3).map { prompt in
            (
                prompt: randomTokens(4 + 3 * prompt, seed: UInt32(prompt)),
                answers: [1, 4, 2].map { randomTokens($0, seed: UInt32(10 * prompt + $0 + 50)) }
            )
        }
        let branching = PackedSequences(prompts: prompts)
        let scores = model.logProbabilities(of: branching)
        let sequences = prompts.flatMap { prompt in prompt.answers.map { TokenSequence(prompt: prompt.prompt, answer: $0) } }
        #expect(branching.predictions.count == sequences.count)
        #expect(branching.tokenCount < sequences.reduce(0) { $0 + $1.fedCount }, "the prompts are read once")
        for (sequence, range) in zip(sequences, branching.predictions) {
            let pack = PackedSequences(microBatches: [[sequence]])
            #expect(Array(branching.labels[range]) == sequence.answer)
            expectClose(Array(scores[range]), model.logProbabilities(of: pack), within: 1e-5, "\(sequence)")
        }
    }

    @Test func anEmptyPackIsEmpty() throws {
        let model = try Golden("llama").loadModel(), pack = PackedSequences(microBatches: [])
        #expect(pack.isEmpty && model.logProbabilities(of: pack).isEmpty && model.losses(of: pack).isEmpty)
    }
}
