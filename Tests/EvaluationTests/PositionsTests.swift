import Communication
import Editing
import Editors
import TensorCore
import TestSupport
import Testing
import Tokenization
import Transformer

/// Rows captured at some tokens are those captured at all of them.
@Suite struct PositionsTests {
    private static let sequences = [
        [TokenSequence(prompt: [5, 6, 7, 8, 9], answer: [10, 11], subject: 1..<3), TokenSequence(prompt: [12, 13, 14], answer: [15], subject: 0..<1)],
        [TokenSequence(prompt: [16, 17], answer: [18, 19, 20])],
    ]

    private func capture(_ positions: EditorOptions.Positions, tokensAtATime: Int? = nil) throws -> [CapturedRows] {
        var options = EditorOptions(steps: 1, rank: 8, blocks: 1, innerLearningRate: 1e-3, hasNetworkPerStep: false, seed: 1)
        options.positions = positions
        let engine = try tinyEngine(modules: ["model.layers.1.mlp.gate_proj", "model.layers.3.mlp.down_proj"], options)
        if let tokensAtATime { engine.activationsAtATime = tokensAtATime * engine.model.activationsPerToken }
        return try engine.captureForInspection(Self.sequences)
    }

    /// Read are 6, 3 and 4 tokens. Where no subject is known the answer's tokens stand for it.
    @Test(arguments: [
        (EditorOptions.Positions.answer, [4, 5, 8, 10, 11, 12]), (.subjectLast, [2, 6, 10, 11, 12]), (.subject, [1, 2, 6, 10, 11, 12]),
        (.prompt, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]),
    ])
    func rowsAreThoseOfTheirTokens(positions: EditorOptions.Positions, rows: [Int]) throws {
        let all = try capture(.all)
        for tokensAtATime in [nil, 6] {
            for (whole, some) in zip(all, try capture(positions, tokensAtATime: tokensAtATime)) {
                #expect(whole.keys.rows == 13 && some.keys.rows == rows.count && some.gradients.rows == rows.count)
                for (index, row) in rows.enumerated() {
                    func error(_ some: Matrix, _ whole: Matrix) -> Double {
                        relativeError(some.rows(index..<index + 1).elements.map { Double($0) }, whole.rows(row..<row + 1).elements.map { Double($0) })
                    }
                    #expect(error(some.keys, whole.keys) < 1e-5 && error(some.gradients, whole.gradients) < 1e-3, "row \(index) at \(positions)")
                }
            }
        }
    }
}
