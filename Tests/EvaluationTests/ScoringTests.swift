import Communication
import Datasets
import Editing
import Evaluation
import Foundation
import TensorCore
import Testing

/// Scores of a model whose every probability is known, worked out by hand.
@Suite struct ScoringTests {
    /// After p: X, then Y, then Z. After q: Y, then X. After r: Z, then X. After X: a likely, c hardly.
    private static let following: [String: [String: Float]] = [
        "p": [" X": 8, " Y": 6, " Z": 2], "q": [" Y": 8, " X": 5], "r": [" Z": 8, " X": 4], " X": ["a": 9, "b": 7, "c": 1], " Y": ["a": 3],
    ]

    private func record(_ prompt: String, _ target: String, over truth: String?, rephrasings: [String] = [], neighbors: [(String, String)] = []) -> EditRecord {
        EditRecord(
            id: prompt, subject: nil, edit: Question(prompt: prompt, answer: target), groundTruth: truth, rephrasings: rephrasings,
            neighbors: neighbors.map { Question(prompt: $0.0, answer: $0.1) })
    }

    private func report(_ records: [EditRecord], _ range: Range<Int>? = nil) throws -> ScoreReport {
        let bigrams = try BigramModel(Self.following)
        let scorer = try Scorer(records, model: bigrams.model, tokenizer: bigrams.tokenizer, work: ShardedWork(communicator: Communicator(), shards: 4))
        return try scorer.score(range ?? 0..<records.count).report
    }

    private func expect(_ found: Scores, _ efficacy: Double, _ generalization: Double, _ specificity: Double, _ what: String) {
        for (name, found, expected) in [
            ("efficacy", found.efficacy, efficacy), ("generalization", found.generalization, generalization),
            ("specificity", found.specificity, specificity),
        ] {
            #expect(expected.isNaN ? found.isNaN : abs(found - expected) < 1e-9, "\(name) of \(what) is \(found), expected \(expected)")
        }
    }

    /// The model of the tests itself: tokens and probabilities are those that the cases below rest on.
    @Test func probabilitiesAreThoseOfTheTable() throws {
        let bigrams = try BigramModel(Self.following)
        #expect(bigrams.tokenizer.encode("p", addSpecialTokens: true).count == 1)
        #expect(bigrams.tokenizer.encodeContinuation("X").count == 1 && bigrams.tokenizer.encodeContinuation("Xb").count == 2)
        func log(_ token: String, _ before: String) -> Double { BigramModel.logProbability(token, after: before, Self.following) }
        #expect(log(" X", "p") > log(" Y", "p") && log(" Y", "q") > log(" X", "q") && log(" Z", "r") > log(" X", "r"))
        // As a mean " Xb" beats " Y" after p, as a sum it does not; " Xc" does not, though its first token would.
        #expect((log(" X", "p") + log("b", " X")) / 2 > log(" Y", "p") && log(" X", "p") + log("b", " X") < log(" Y", "p"))
        #expect((log(" X", "p") + log("c", " X")) / 2 < log(" Y", "p"))
    }

    @Test func efficacyIsTheNewAnswerOverTheOld() throws {
        expect(try report([record("p", "X", over: "Y")]).scores, 100, .nan, .nan, "X over Y after p")
        expect(try report([record("p", "Y", over: "X")]).scores, 0, .nan, .nan, "Y over X after p")
        expect(try report([record("p", "X", over: "Y"), record("q", "X", over: "Y")]).scores, 50, .nan, .nan, "both")
        expect(try report([record("p", "X", over: "X")]).scores, 0, .nan, .nan, "an answer over itself")
    }

    /// A neighbour's own answer has to win over the new one: the other way round than for the edit.
    @Test func specificityIsTheNeighboursAnswerOverTheNewOne() throws {
        func specificity(_ neighbors: [(String, String)]) throws -> Scores { try report([record("q", "X", over: "Y", neighbors: neighbors)]).scores }
        expect(try specificity([("r", "Z")]), 0, .nan, 100, "Z over X after r")
        expect(try specificity([("p", "Y")]), 0, .nan, 0, "Y over X after p")
        expect(try specificity([("r", "Z"), ("p", "Y"), ("q", "Y")]), 0, .nan, 200.0 / 3, "three")
    }

    /// A record counts once, however many prompts it has; one without prompts of a kind does not count.
    @Test func meansAreOverRecords() throws {
        let records = [
            record("p", "X", over: "Y", rephrasings: ["q", "p"], neighbors: [("r", "Z"), ("q", "Y"), ("p", "Y")]),  // gains 1/2, keeps 2/3
            record("q", "X", over: "Y", rephrasings: ["q", "q", "p"]),  // 1/3
            record("p", "X", over: "Y", neighbors: [("p", "Y")]),  // keeps none
        ]
        expect(try report(records).scores, 200.0 / 3, 100 * (1.0 / 2 + 1.0 / 3) / 2, 100 * (2.0 / 3 + 0) / 2, "three records")
        expect(try report(records, 1..<3).scores, 50, 100.0 / 3, 0, "the last two")
    }

    /// Every token of an answer counts, and their mean, so that long answers do not lose for being long.
    @Test func answersAreJudgedByTheMeanOfTheirTokens() throws {
        expect(try report([record("p", "Xb", over: "Y")]).scores, 100, .nan, .nan, "a likely second token")
        expect(try report([record("p", "Xc", over: "Y")]).scores, 0, .nan, .nan, "an unlikely one")
        expect(try report([record("p", "Y", over: "Xb")]).scores, 0, .nan, .nan, "the other way round")
    }

    /// The share of an answer's tokens that are the likeliest, whatever the other answer.
    @Test func tokenAccuracyIsTheShareOfLikeliestTokens() throws {
        let records = [
            record("p", "Xa", over: nil, rephrasings: ["q"], neighbors: [("r", "Z"), ("q", "Xa")]),  // both; second alone; all, second alone
            record("p", "Xb", over: nil, rephrasings: ["q"]),  // first alone; none
        ]
        expect(try report(records).tokenAccuracy, 75, 25, 75, "by token accuracy")
        let compared = try report([record("p", "Xb", over: "Y")])
        #expect(compared.scoring == .rome)
        expect(compared.tokenAccuracy, 50, .nan, .nan, "beside the protocol")
        expect(try report(records).scores, .nan, .nan, 50, "without an old answer there is nothing to compare the new one with")
    }

    /// Records without a pair of answers are scored by their tokens.
    @Test func whatComparesNothingIsScoredByItsTokens() throws {
        let tokens = EditRecord(
            id: "1", subject: nil, edits: [Question(prompt: "p", answer: "Xa")],
            probes: [
                Probe(.efficacy, "p", .tokens("Xa")), Probe(.generalization, "q", .tokens("Xa")), Probe(.specificity, "r", .tokens("X")),
            ])
        let found = try report([tokens])
        #expect(found.scoring == .tokenAccuracy && found.scores == found.tokenAccuracy)
        expect(found.scores, 100, 50, 0, "tokens alone")
    }

    /// Of several spellings the one that is most the model's counts. A kind that is not among the three has a score of its own, after theirs.
    @Test func oneOfSeveralSpellings() throws {
        let hops = Probe.Kind("portability")
        let several = EditRecord(
            id: "1", subject: nil, edits: [Question(prompt: "p", answer: "X")],
            probes: [
                Probe(.efficacy, "p", .tokens("X")), Probe(hops, "q", .oneOf(["X", "Xa", "Y"])), Probe(hops, "q", .oneOf(["X", "Xa"])),
                Probe(hops, "q", .tokens("Y"), isScored: false),
            ])
        let found = try report([several]).tokenAccuracy
        #expect(found.kinds == Probe.Kind.standard + [hops])
        #expect(found[hops] == 75, "the first has Y, all its tokens, the second half of Xa's: \(found[hops])")
        expect(found, 100, .nan, .nan, "the three")
    }

    /// Prompts that belong together: one of them is enough, or all are needed, wherever in a pack they stand.
    @Test(arguments: [("p", "q", false, 100.0), ("q", "p", false, 100), ("p", "q", true, 0), ("p", "p", true, 100), ("q", "q", false, 0)])
    func companionsCount(own: String, other: String, needsAll: Bool, expected: Double) throws {
        let hops = Probe.Kind("hops")
        var probe = Probe(hops, own, .oneOf(["X"]))
        probe.companions = [Probe.Query(other, ["Z", "X"]), Probe.Query(other, ["X"])]
        probe.needsAllCompanions = needsAll
        let record = EditRecord(
            id: "1", subject: nil, edits: [Question(prompt: "p", answer: "X")],
            probes: [Probe(.efficacy, "r", .tokens("Z")), probe, Probe(.specificity, "q", .tokens("Y"))])
        let found = try report([record])
        #expect(found.exactMatch[hops] == expected)
        expect(found.exactMatch, 100, .nan, 100, "those around it")
    }

    /// A probe counts where the unedited model answers all its conditions; which it is asked for whatever edits the model carries.
    @Test func conditionsAreTheUneditedModels() throws {
        let hops = Probe.Kind("hops")
        func record(_ conditions: [Probe.Query]) -> EditRecord {
            var probe = Probe(hops, "p", .oneOf(["X"]))
            probe.conditions = conditions
            return EditRecord(id: "1", subject: nil, edits: [Question(prompt: "p", answer: "X")], probes: [Probe(.efficacy, "q", .tokens("X")), probe])
        }
        let met = [Probe.Query("q", ["Z", "Y"]), Probe.Query("r", ["Z"])], missed = met + [Probe.Query("q", ["X"])]
        let bigrams = try BigramModel(Self.following)
        for isEdited in [false, true] {
            if isEdited {
                let module = try #require(bigrams.model.edited.first)
                module.add(keys: Matrix(rows: 1, columns: module.keySize), products: Matrix(rows: 1, columns: module.valueSize))
            }
            let scorer = try Scorer(
                [record(met), record(missed), record([])], model: bigrams.model, tokenizer: bigrams.tokenizer, work: ShardedWork(communicator: Communicator(), shards: 4))
            let tally = try scorer.score(0..<3)
            #expect(tally.records.map { $0.keys.contains(hops) } == [true, false, true] && tally.records.allSatisfy { $0.keys.contains(.efficacy) })
            #expect(bigrams.model.edited.allSatisfy { $0.edit.isEmpty != isEdited }, "the edits are back")
            #expect(try scorer.scoreUnedited().records[1].keys.contains(hops) == false)
        }
    }

    /// Kinds beside the three are in the order of their names, whatever the order of the probes.
    @Test func otherKindsAreSortedByName() throws {
        let kinds = ["relation", "aliases", "portability"].map { Probe.Kind($0) }
        let record = EditRecord(
            id: "1", subject: nil, edits: [Question(prompt: "p", answer: "X")], probes: kinds.map { Probe($0, "p", .tokens("X")) })
        #expect(try report([record]).scores.kinds.map(\.name) == ["efficacy", "generalization", "specificity", "aliases", "portability", "relation"])
    }

    /// A prompt is asked with the tokenizer's special tokens: one without words of its own is what comes after them.
    @Test func promptsBeginWithTheSpecialToken() throws {
        let bigrams = try BigramModel(Self.following, beginning: "p")
        let scorer = try Scorer(
            [record("", "X", over: "Y")], model: bigrams.model, tokenizer: bigrams.tokenizer, work: ShardedWork(communicator: Communicator(), shards: 2))
        expect(try scorer.score(0..<1).report.scores, 100, .nan, .nan, "X over Y after nothing but p")
    }

    @Test func batchesAddUp() throws {
        let records = [record("p", "X", over: "Y"), record("q", "X", over: "Y"), record("p", "X", over: "Y", neighbors: [("r", "Z")])]
        let bigrams = try BigramModel(Self.following)
        let scorer = try Scorer(records, model: bigrams.model, tokenizer: bigrams.tokenizer, work: ShardedWork(communicator: Communicator(), shards: 2))
        let sum = try scorer.score(0..<1) + scorer.score(1..<3)
        expect(sum.report.scores, 200.0 / 3, .nan, 100, "two batches")
        expect(sum.report.tokenAccuracy, 200.0 / 3, .nan, 100, "two batches by token accuracy")
    }

    @Test func aModelThatGivesNoNumbersHasNoScores() throws {
        let bigrams = try BigramModel(Self.following), module = bigrams.model.edited[0]
        let scorer = try Scorer(
            [record("p", "X", over: "Y")], model: bigrams.model, tokenizer: bigrams.tokenizer, work: ShardedWork(communicator: Communicator(), shards: 1))
        let shift = Matrix(rows: module.valueSize, columns: module.keySize)
        shift.fill(.nan)
        module.add(shift: shift)
        #expect(throws: NumericalFailure.self) { try scorer.score(0..<1) }
    }

    /// " Xa" is what the model says after p, " Xb" is not, though it is right by comparison.
    @Test func anAnswerIsSaidWhereItsEveryTokenIsTheLikeliest() throws {
        let found = try report([record("p", "Xa", over: "Y", rephrasings: ["p", "q"]), record("p", "Xb", over: "Y", rephrasings: ["p"])])
        expect(found.scores, 100, 75, .nan, "by comparison")
        expect(found.exactMatch, 50, 25, .nan, "said")
        #expect(found.unchanged.efficacy.isNaN, "nothing to compare with")
    }

    @Test func nothingChangesWhereNothingIsEdited() throws {
        let bigrams = try BigramModel(Self.following), work = ShardedWork(communicator: Communicator(), shards: 1)
        let records = [record("p", "X", over: "Y", neighbors: [("q", "Y"), ("r", "Z")])]
        let scorer = try Scorer(records, model: bigrams.model, tokenizer: bigrams.tokenizer, work: work)
        #expect(try scorer.scoreUnedited().report.unchanged.specificity.isNaN)
        let same = try scorer.score(0..<1).report
        #expect(same.unchanged.efficacy == 100 && same.unchanged.specificity == 100)
    }

    @Test func driftIsNoneWhereNothingIsEdited() throws {
        let bigrams = try BigramModel(Self.following)
        let meter = DriftMeter(["pqp", "r"], model: bigrams.model, tokenizer: bigrams.tokenizer, work: ShardedWork(communicator: Communicator(), shards: 1))
        let drift = try meter.measure()
        #expect(drift.tokens == 2 && drift.tokensKept == 100 && drift.perplexityRatio == 1 && abs(drift.divergence) < 1e-6)
    }
}
