import Communication
import Datasets
import Editing
import TensorCore
import Tokenization
import Training
import Transformer

/// Scores records on the model as it is, each rank its share of them; the frozen part of the model is run once per prompt while
/// it fits in memory.
package final class Scorer {
    /// Tokens of a packed batch: enough for efficient products, few enough to stay in cache.
    private static let tokensPerPack = 512
    /// Numbers that a probe gives.
    private static let fields = 3
    /// Bytes of residual streams kept from one scoring to the next.
    private static let mostKeptBytes = 512 << 20

    /// A probe of a record.
    private struct Place {
        let record: Int
        let probe: Int
        /// Of the probe's own prompt and those that belong to it, counted from 0.
        let query: Int
    }

    private struct Pack {
        let sequences: PackedSequences
        let probes: [Place]
        var prefix: FrozenPrefix?
    }

    private let model: LanguageModel
    private let tokenizer: Tokenizer
    private let keptBytes: Int
    private let work: ShardedWork
    private let records: [EditRecord]
    /// For each record how many probes the ones before it have.
    private let firstProbes: [Int]
    private var packs: [Pack] = []
    private var kept = 0
    /// Of each probe the unedited model's likeliest first token, where it has been asked.
    private var firstTokens: [Double]?
    /// Of each probe whether the unedited model answers its conditions; nil: that has not been asked, or none has any.
    private var counts: [Bool]?

    package convenience init(_ records: [EditRecord], model: LanguageModel, tokenizer: Tokenizer, work: ShardedWork) throws {
        try self.init(records, isInContext: false, keptBytes: Self.mostKeptBytes, model: model, tokenizer: tokenizer, work: work)
    }

    private init(_ records: [EditRecord], isInContext: Bool, keptBytes: Int, model: LanguageModel, tokenizer: Tokenizer, work: ShardedWork) throws {
        self.model = model
        self.tokenizer = tokenizer
        self.work = work
        self.records = records
        self.keptBytes = keptBytes
        firstProbes = records.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.probes.count) }
        var open: [(place: Place, prompt: [Int32], answers: [[Int32]])] = [], tokens = 0
        func close() {
            guard !open.isEmpty else { return }
            packs.append(Pack(sequences: PackedSequences(prompts: open.map { ($0.prompt, $0.answers) }), probes: open.map(\.place)))
            (open, tokens) = ([], 0)
        }
        for index in work.ownShare(of: records.count) {
            for (number, probe) in records[index].probes.enumerated() where probe.isScored {
                let queries = try ([(probe.prompt, probe.expectation.answers)] + probe.companions.map { ($0.prompt, $0.answers) }).map { text, answers in
                    let prompt = tokenizer.encode((isInContext ? records[index].context : "") + text, addSpecialTokens: true)
                    let answers = answers.map { tokenizer.encodeContinuation($0) }
                    guard !prompt.isEmpty, !answers.contains(where: \.isEmpty) else {
                        throw BadInput(records[index].place, "the prompt '\(text)' or an answer to it has no tokens")
                    }
                    return (prompt: prompt, answers: answers)
                }
                if isInContext, !queries.allSatisfy({ query in query.answers.allSatisfy { model.canRead(query.prompt + $0) } }) { continue }
                for (place, query) in queries.enumerated() {
                    for answer in query.answers { try model.check(query.prompt + answer, of: records[index].place) }
                    let length = query.prompt.count + query.answers.reduce(0) { $0 + $1.count - 1 }
                    if tokens + length > Self.tokensPerPack { close() }
                    open.append((Place(record: index, probe: number, query: place), query.prompt, query.answers))
                    tokens += length
                }
            }
        }
        close()
    }

    /// Tallies all records on the unedited model, whose answers later ones are compared with.
    package func scoreUnedited() throws -> ScoreTally {
        let judged = try judge(0..<records.count)
        firstTokens = judged.firstTokens
        return judged.tally
    }

    /// Tallies all records on the unedited model where the prompt itself tells of the edits; the same on every rank. Prompts that are then too long are left out.
    /// After `scoreUnedited()`, with whose answers these are compared.
    package func scoreInContext() throws -> ScoreTally {
        let scorer = try Scorer(records, isInContext: true, keptBytes: 0, model: model, tokenizer: tokenizer, work: work)
        (scorer.firstTokens, scorer.counts) = (firstTokens, counts)
        return try scorer.score(0..<records.count)
    }

    /// Tallies the records `range` on the edited model; the same on every rank.
    /// Throws on every rank alike where an edit has broken the model.
    package func score(_ range: Range<Int>) throws -> ScoreTally { try judge(range).tally }

    /// Of each probe whether the unedited model answers all its conditions. The model's own edits are back afterwards.
    private func askConditions() throws -> [Bool]? {
        let conditions = records.map { $0.probes.map { $0.isScored ? $0.conditions : [] } }
        guard conditions.contains(where: { $0.contains { !$0.isEmpty } }) else { return nil }
        let asked = zip(records, conditions).map { record, conditions in
            var asked = record
            asked.probes = conditions.joined().map { Probe(.efficacy, $0.prompt, .oneOf($0.answers)) }
            return asked
        }
        let scorer = try Scorer(asked, isInContext: false, keptBytes: 0, model: model, tokenizer: tokenizer, work: work)
        var answered = try model.unedited { try scorer.judge(0..<asked.count) }.accuracies[...]
        return conditions.joined().map { conditions in
            defer { answered = answered.dropFirst(conditions.count) }
            return answered.prefix(conditions.count).allSatisfy { $0 == 1 }
        }
    }

    private func judge(_ range: Range<Int>) throws -> (tally: ScoreTally, firstTokens: [Double], accuracies: [Double]) {
        if counts == nil { counts = try askConditions() }
        // For each probe of all records whether it succeeds, NaN where it compares nothing, its token accuracy, NaN where it is not scored, and the likeliest
        // first token.
        let fields = Self.fields
        var outcomes = [Double](repeating: .nan, count: fields * firstProbes[records.count])
        var isBroken = false
        for index in packs.indices where packs[index].probes.contains(where: { range.contains($0.record) }) {
            if !judge(packs[index], prefix(index), into: &outcomes) { isBroken = true }
        }
        let all = try work.communicator.allGather(outcomes + [isBroken ? 1 : 0])
        guard all.allSatisfy({ $0.last == 0 }) else { throw NumericalFailure.ofEditedModel }
        var tally = ScoreTally(), tokens = [Double](repeating: .nan, count: firstProbes[records.count]), accuracies = tokens
        for rank in 0..<work.communicator.size {
            for record in work.share(of: records.count, rank: rank) where range.contains(record) {
                tally.add(
                    records[record].probes.enumerated().compactMap { number, probe in
                        let index = firstProbes[record] + number, place = fields * index
                        let success = all[rank][place], accuracy = all[rank][place + 1], token = all[rank][place + 2]
                        if accuracy.isNaN { return nil }
                        (tokens[index], accuracies[index]) = (token, accuracy)
                        if let counts, !counts[index] { return nil }
                        return (
                            probe.kind, Outcome(success: success.isNaN ? nil : success == 1, accuracy: accuracy, isUnchanged: firstTokens.map { $0[index] == token })
                        )
                    })
            }
        }
        return (tally, tokens, accuracies)
    }

    /// Whether the model gives numbers.
    private func judge(_ pack: Pack, _ prefix: FrozenPrefix, into outcomes: inout [Double]) -> Bool {
        let predictions = model.score(pack.sequences, prefix)
        guard predictions.allSatisfy({ !$0.logProbability.isNaN }) else { return false }
        var answer = 0
        func next() -> (logProbability: Double, accuracy: Double, first: Double) {
            let range = pack.sequences.predictions[answer]
            answer += 1
            let count = Double(range.count)
            return (
                range.reduce(0) { $0 + Double(predictions[$1].logProbability) } / count, Double(range.filter { predictions[$0].isMostLikely }.count) / count,
                Double(predictions[range.lowerBound].mostLikely)
            )
        }
        for probe in pack.probes {
            let place = Self.fields * (firstProbes[probe.record] + probe.probe), asked = records[probe.record].probes[probe.probe]
            if probe.query > 0 {
                let accuracy = asked.companions[probe.query - 1].answers.map { _ in next().accuracy }.max() ?? 0
                outcomes[place + 1] = asked.needsAllCompanions ? min(outcomes[place + 1], accuracy) : max(outcomes[place + 1], accuracy)
                continue
            }
            switch asked.expectation {
            case .answer:
                let right = next(), wrong = next()
                outcomes[place] = right.logProbability > wrong.logProbability ? 1 : 0
                (outcomes[place + 1], outcomes[place + 2]) = (right.accuracy, right.first)
            case .tokens:
                let answer = next()
                (outcomes[place + 1], outcomes[place + 2]) = (answer.accuracy, answer.first)
            case .oneOf(let spellings):
                let answers = spellings.map { _ in next() }
                (outcomes[place + 1], outcomes[place + 2]) = (answers.map(\.accuracy).max() ?? 0, answers[0].first)
            }
        }
        return true
    }

    private func prefix(_ index: Int) -> FrozenPrefix {
        if let prefix = packs[index].prefix { return prefix }
        let prefix = model.prefix(of: packs[index].sequences)
        let bytes = packs[index].sequences.tokenCount * model.configuration.hiddenSize * MemoryLayout<Float>.stride
        if kept + bytes <= keptBytes {
            kept += bytes
            packs[index].prefix = prefix
        }
        return prefix
    }
}

extension NumericalFailure {
    static let ofEditedModel = NumericalFailure("the edited model gives a log probability that is not a number; the edits have broken it")
}
