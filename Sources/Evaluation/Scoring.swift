import Communication
import Datasets
import Editing
import TensorCore
import Tokenizers
import Training
import Transformer

/// How answers are judged.
public enum ScoringProtocol: String, Sendable {
    /// ROME's and MEMIT's (arXiv 2202.05262, 2210.07229): a prompt succeeds if the mean log probability of the right answer's tokens
    /// exceeds the wrong one's. Right is the new answer for the edit and its rephrasings, the neighbour's own answer for neighbours.
    case rome
    /// The share of an answer's tokens that are the model's most likely next token, the answer's earlier tokens given: the usual
    /// score of zsRE, whose records have no pair of comparable answers.
    case tokenAccuracy = "token-accuracy"

    static func of(_ format: String) -> ScoringProtocol { format == "zsre" ? .tokenAccuracy : .rome }
}

/// Shares of prompts that succeed, in percent. A record counts once: the mean over its prompts. NaN where no record has such prompts.
public struct Scores: Sendable, Equatable {
    public var efficacy: Double
    public var generalization: Double
    public var specificity: Double
}

/// Scores by the protocol, and by token accuracy whatever the protocol.
public struct ScoreReport: Sendable, Equatable {
    public var scores: Scores
    public var tokenAccuracy: Scores
}

/// Records judged: for each kind of prompt how many had any, and the sums over these records of their shares.
package struct ScoreTally {
    private var records = [0.0, 0.0, 0.0]
    private var successes = [0.0, 0.0, 0.0]
    private var accuracies = [0.0, 0.0, 0.0]

    /// Adds one record's prompts of one kind: successes, token accuracies, number of prompts.
    mutating func add(_ kind: Int, _ sums: [Double]) {
        guard sums[2] > 0 else { return }
        records[kind] += 1
        successes[kind] += sums[0] / sums[2]
        accuracies[kind] += sums[1] / sums[2]
    }

    package static func + (a: ScoreTally, b: ScoreTally) -> ScoreTally {
        var sum = a
        for kind in 0..<3 {
            sum.records[kind] += b.records[kind]
            sum.successes[kind] += b.successes[kind]
            sum.accuracies[kind] += b.accuracies[kind]
        }
        return sum
    }

    package func report(_ scoring: ScoringProtocol) -> ScoreReport {
        func scores(_ sums: [Double]) -> Scores {
            let means = zip(sums, records).map { $1 > 0 ? 100 * $0 / $1 : .nan }
            return Scores(efficacy: means[0], generalization: means[1], specificity: means[2])
        }
        return ScoreReport(scores: scores(scoring == .rome ? successes : accuracies), tokenAccuracy: scores(accuracies))
    }
}

/// One prompt to judge: which answer should win over which.
private struct Trial {
    enum Kind: Int { case efficacy, generalization, specificity }
    let kind: Kind
    let prompt: String
    let right: String
    let wrong: String?
}

/// Scores records on the model as it is, each rank its share of them; the frozen part of the model is run once per prompt while
/// it fits in memory.
package final class Scorer {
    /// Tokens of a packed batch: enough for efficient products, few enough to stay in cache.
    private static let tokensPerPack = 512
    /// Bytes of residual streams kept from one scoring to the next.
    private static let keptBytes = 512 << 20

    private struct Pack {
        let sequences: PackedSequences
        let trials: [(record: Int, kind: Trial.Kind, hasWrong: Bool)]
        var prefix: FrozenPrefix?
    }

    private let model: LanguageModel
    private let work: Work
    private let scoring: ScoringProtocol
    private let recordCount: Int
    private var packs: [Pack] = []
    private var kept = 0

    package init(_ records: [EditRecord], model: LanguageModel, tokenizer: Tokenizer, work: Work, scoring: ScoringProtocol) throws {
        self.model = model
        self.work = work
        self.scoring = scoring
        recordCount = records.count
        var open: [(trial: Trial, record: Int, prompt: [Int32], answers: [[Int32]])] = [], tokens = 0
        func close() {
            guard !open.isEmpty else { return }
            packs.append(Pack(sequences: PackedSequences(prompts: open.map { ($0.prompt, $0.answers) }),
                              trials: open.map { ($0.record, $0.trial.kind, $0.trial.wrong != nil) }))
            (open, tokens) = ([], 0)
        }
        for index in work.ownShare(of: records.count) {
            for trial in Self.trials(of: records[index], scoring) {
                let prompt = tokenizer.encode(trial.prompt, addSpecialTokens: true)
                let answers = [trial.right, trial.wrong].compactMap { $0 }.map { tokenizer.encodeContinuation($0) }
                guard !prompt.isEmpty, !answers.contains(where: \.isEmpty) else {
                    throw BadInput(records[index].place, "the prompt '\(trial.prompt)' or an answer to it has no tokens")
                }
                for answer in answers { try model.check(prompt + answer, of: records[index].place) }
                let length = prompt.count + answers.reduce(0) { $0 + $1.count - 1 }
                if tokens + length > Self.tokensPerPack { close() }
                open.append((trial, index, prompt, answers))
                tokens += length
            }
        }
        close()
    }

    private static func trials(of record: EditRecord, _ scoring: ScoringProtocol) -> [Trial] {
        let truth = scoring == .rome ? record.groundTruth : nil
        return [Trial(kind: .efficacy, prompt: record.prompt, right: record.target, wrong: truth)]
            + record.rephrasings.map { Trial(kind: .generalization, prompt: $0, right: record.target, wrong: truth) }
            + record.neighbors.map {
                Trial(kind: .specificity, prompt: $0.prompt, right: $0.answer, wrong: scoring == .rome ? record.target : nil)
            }
    }

    /// Tallies the records `range` on the edited model; the same on every rank.
    package func score(_ range: Range<Int>) throws -> ScoreTally {
        // For each record and kind: successes, token accuracies, prompts.
        var sums = [Double](repeating: 0, count: recordCount * 9)
        for index in packs.indices where packs[index].trials.contains(where: { range.contains($0.record) }) {
            try judge(packs[index], try prefix(index), into: &sums)
        }
        let all = try work.communicator.allGather(sums)
        var tally = ScoreTally()
        for rank in 0..<work.communicator.size {
            for record in work.share(of: recordCount, rank: rank) where range.contains(record) {
                for kind in 0..<3 { tally.add(kind, Array(all[rank][record * 9 + kind * 3..<record * 9 + kind * 3 + 3])) }
            }
        }
        return tally
    }

    private func judge(_ pack: Pack, _ prefix: FrozenPrefix, into sums: inout [Double]) throws {
        let predictions = model.score(pack.sequences, prefix)
        guard predictions.allSatisfy({ !$0.logProbability.isNaN }) else {
            throw NumericalFailure("the edited model gives a log probability that is not a number; the edits have broken it")
        }
        var answer = 0
        func next() -> (logProbability: Double, accuracy: Double) {
            let range = pack.sequences.predictions[answer]
            answer += 1
            let count = Double(range.count)
            return (range.reduce(0) { $0 + Double(predictions[$1].logProbability) } / count, Double(range.filter { predictions[$0].isMostLikely }.count) / count)
        }
        for trial in pack.trials {
            let right = next(), wrong = trial.hasWrong ? next() : nil
            let base = trial.record * 9 + trial.kind.rawValue * 3
            if let wrong, right.logProbability > wrong.logProbability { sums[base] += 1 }
            sums[base + 1] += right.accuracy
            sums[base + 2] += 1
        }
    }

    private func prefix(_ index: Int) throws -> FrozenPrefix {
        if let prefix = packs[index].prefix { return prefix }
        let prefix = model.prefix(of: packs[index].sequences)
        let bytes = packs[index].sequences.tokenCount * model.configuration.hiddenSize * MemoryLayout<Float>.stride
        if kept + bytes <= Self.keptBytes {
            kept += bytes
            packs[index].prefix = prefix
        }
        return prefix
    }
}
