import CKernels
import TensorCore
import Tokenization

/// Sequences laid end to end without padding. An answer token is a row whose next token belongs to the answer; the
/// answer tokens of a sequence are its last rows.
package struct PackedSequences: Sendable {
    /// Rows of the packed matrices that attend to each other.
    struct Segment: Sendable {
        var first: Int
        var count: Int
        var parent: Int = 0  // the first of the rows before `first` that this segment continues
        var parentCount: Int = 0
        var answers: Int  // the last rows that are answer tokens
    }

    package let tokens: [Int32]
    package let positions: [Int32]
    let segments: [Segment]
    /// For each prediction, in order: the row that makes it, the token it should predict, its weight in the loss.
    package let answerRows: [Int]
    package let labels: [Int32]
    package let weights: [Float]
    /// The predictions of each sequence, and the rows and predictions of each micro-batch.
    package let predictions: [Range<Int>]
    package let microBatchTokens: [Range<Int>]
    package let microBatchAnswers: [Range<Int>]

    package var tokenCount: Int { tokens.count }
    package var answerCount: Int { answerRows.count }
    package var isEmpty: Bool { tokens.isEmpty }

    /// Micro-batches one behind the other. A prediction weighs 1 / (the predictions of its micro-batch): the loss is the sum
    /// over micro-batches of the mean over their answer tokens.
    package init(microBatches: [[TokenSequence]]) {
        var builder = Builder()
        for sequences in microBatches {
            let firstToken = builder.tokens.count, firstAnswer = builder.rows.count
            let weight = 1 / Float(sequences.reduce(0) { $0 + $1.answer.count })
            for sequence in sequences { builder.append(sequence, weight: weight) }
            builder.microBatchTokens.append(firstToken..<builder.tokens.count)
            builder.microBatchAnswers.append(firstAnswer..<builder.rows.count)
        }
        self.init(builder)
    }

    /// Prompts with several candidate answers each, for scoring: the prompt is read once and every answer continues it.
    /// `predictions` holds a range for each answer of the first prompt, then of the second, and so on. Forward only.
    package init(prompts: [(prompt: [Int32], answers: [[Int32]])]) {
        var builder = Builder()
        for (prompt, answers) in prompts { builder.append(prompt: prompt, answers: answers) }
        self.init(builder)
    }

    private init(_ builder: Builder) {
        tokens = builder.tokens
        positions = builder.positions
        segments = builder.segments
        answerRows = builder.rows
        labels = builder.labels
        weights = builder.weights
        predictions = builder.predictions
        microBatchTokens = builder.microBatchTokens
        microBatchAnswers = builder.microBatchAnswers
    }

    /// Whether any segment continues another: such packs are for scoring only.
    var branches: Bool { segments.contains { $0.parentCount > 0 } }

    private struct Builder {
        var tokens: [Int32] = [], positions: [Int32] = [], segments: [Segment] = []
        var rows: [Int] = [], labels: [Int32] = [], weights: [Float] = [], predictions: [Range<Int>] = []
        var microBatchTokens: [Range<Int>] = [], microBatchAnswers: [Range<Int>] = []

        mutating func append(_ sequence: TokenSequence, weight: Float) {
            let first = tokens.count
            tokens += sequence.prompt + sequence.answer.dropLast()
            positions += (0..<Int32(sequence.fedCount))
            segments.append(Segment(first: first, count: sequence.fedCount, answers: sequence.answer.count))
            predict(sequence.answer, rows: (tokens.count - sequence.answer.count..<tokens.count).map { $0 }, weight: weight)
        }

        mutating func append(prompt: [Int32], answers: [[Int32]]) {
            precondition(!prompt.isEmpty && !answers.contains(where: \.isEmpty), "an empty prompt or answer")
            let first = tokens.count
            tokens += prompt
            positions += (0..<Int32(prompt.count))
            segments.append(Segment(first: first, count: prompt.count, answers: 1))
            for answer in answers {
                let start = tokens.count
                if answer.count > 1 {
                    tokens += answer.dropLast()
                    positions += (Int32(prompt.count)..<Int32(prompt.count + answer.count - 1))
                    segments.append(
                        Segment(
                            first: start, count: answer.count - 1, parent: first, parentCount: prompt.count, answers: answer.count - 1))
                }
                predict(answer, rows: [first + prompt.count - 1] + (start..<tokens.count), weight: 1)
            }
        }

        private mutating func predict(_ answer: [Int32], rows newRows: [Int], weight: Float) {
            predictions.append(rows.count..<rows.count + answer.count)
            rows += newRows
            labels += answer
            weights += Array(repeating: weight, count: answer.count)
        }
    }
}

/// The last rows of each segment: its answer tokens, or all of it.
struct SuffixRows: Sendable {
    let counts: [Int]  // of each segment
    let offsets: [Int]  // of each segment's first suffix row among the suffix rows
    let total: Int
    let isEverything: Bool
    let positions: [Int32]

    init(_ pack: PackedSequences, everything: Bool) {
        counts = pack.segments.map { everything ? $0.count : $0.answers }
        var offsets: [Int] = [], total = 0, positions: [Int32] = []
        for (segment, count) in zip(pack.segments, counts) {
            offsets.append(total)
            total += count
            positions += pack.positions[segment.first + segment.count - count..<segment.first + segment.count]
        }
        self.offsets = offsets
        self.total = total
        self.positions = positions
        isEverything = total == pack.tokenCount
    }

    /// The suffix rows of `matrix` [tokens, n]: a copy, or the same storage where that is all of it.
    func gather(_ matrix: Matrix, _ pack: PackedSequences) -> Matrix {
        if isEverything { return matrix }
        let result = Matrix(uninitializedRows: total, columns: matrix.columns)
        for (index, segment) in pack.segments.enumerated() {
            let last = segment.first + segment.count
            result.rows(offsets[index]..<offsets[index] + counts[index]).assign(matrix.rows(last - counts[index]..<last))
        }
        return result
    }

    /// As `gather`, never sharing storage: for a matrix that will be overwritten.
    func copy(_ matrix: Matrix, _ pack: PackedSequences) -> Matrix {
        isEverything ? matrix.copy() : gather(matrix, pack)
    }

    /// The rows of `matrix`, which are those of `others`, in their places among these rows; zeros where these are more. The same storage where
    /// they are as many.
    func scatter(_ matrix: Matrix, from others: SuffixRows) -> Matrix {
        if total == others.total { return matrix }
        let result = Matrix(rows: total, columns: matrix.columns)
        for index in counts.indices {
            let count = others.counts[index], last = offsets[index] + counts[index]
            result.rows(last - count..<last).assign(matrix.rows(others.offsets[index]..<others.offsets[index] + count))
        }
        return result
    }

    /// The rows of `matrix` [suffix rows, n] that make the predictions, in their order.
    func gatherAnswers(_ matrix: Matrix, _ pack: PackedSequences) -> Matrix {
        let result = Matrix(uninitializedRows: pack.answerCount, columns: matrix.columns)
        for (prediction, row) in answerPlaces(pack).enumerated() {
            result.row(prediction).update(from: matrix.row(row), count: matrix.columns)
        }
        return result
    }

    /// Gradients of the predictions placed among suffix rows, zero elsewhere.
    func scatterAnswers(_ gradients: Matrix, _ pack: PackedSequences) -> Matrix {
        if total == gradients.rows { return gradients }
        let result = Matrix(rows: total, columns: gradients.columns)
        for (prediction, row) in answerPlaces(pack).enumerated() {
            result.row(row).update(from: gradients.row(prediction), count: gradients.columns)
        }
        return result
    }

    /// For each prediction its row among the suffix rows.
    private func answerPlaces(_ pack: PackedSequences) -> [Int] {
        if isEverything { return pack.answerRows }
        var places = [Int](repeating: -1, count: pack.tokenCount)
        for (index, segment) in pack.segments.enumerated() {
            let last = segment.first + segment.count
            for row in last - counts[index]..<last { places[row] = offsets[index] + row - (last - counts[index]) }
        }
        return pack.answerRows.map { places[$0] }
    }
}
