import Communication
import Datasets
import Editing
import Editors
import Foundation
import TensorCore
import TestSupport
import Testing
import Tokenization
import Transformer

/// What meta-training does with the gradients of its batches, and when.
@Suite struct LearningTests {
    private typealias Change = (inout LearningOptions) -> Void

    /// One step a batch, in sequences, on a fresh model.
    private func learner(
        steps: Int = 1, normalizer: EditorOptions.Normalizer = .perStep, learnsLogarithmOfRates: Bool = false, innerLearningRate: Float = 1e-3,
        _ change: Change = { _ in }
    ) throws -> MetaLearner {
        let plan = try #require(EditingMethod.named("emsedit")?.plans[.sequential])
        var editing = EditorOptions(steps: steps, rank: 8, blocks: 2, innerLearningRate: innerLearningRate, hasNetworkPerStep: true, seed: 1)
        editing.normalizer = normalizer
        editing.learnsLogarithmOfRates = learnsLogarithmOfRates
        let engine = try tinyEngine(modules: ["model.layers.1.mlp.gate_proj", "model.layers.2.mlp.down_proj"], editing)
        var options = LearningOptions(plan: plan, steps: steps, regularization: 0.25, localityWeight: 0, maxGradientNorm: .infinity, metaLearningRate: 1e-3)
        change(&options)
        return MetaLearner(engine: engine, options: options)
    }

    private func batch(_ number: Int32, hasRephrasings: Bool = true) -> EditBatch {
        func sequence(_ first: Int32) -> TokenSequence { TokenSequence(prompt: [first, 7, 40 + number], answer: [60 + number, 9]) }
        return EditBatch(edits: [[sequence(20), sequence(21)]], rephrasings: hasRephrasings ? [[sequence(30)], [sequence(31)]] : [], unrelated: [])
    }

    private func gradient(_ learner: MetaLearner) -> [Double] { learner.engine.editor.parameters.flatMap { $0.gradient.elements.map { Double($0) } } }
    private func norm(_ vector: [Double]) -> Double { vector.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    /// What the first batch's gradient is where nothing clips it, and where its norm may be `share` of what it is.
    private func gradients(_ share: Double, hasRephrasings: Bool = true, regularization: Float = 0.25) throws -> (whole: [Double], clipped: [Double]) {
        let whole = try learner { $0.regularization = regularization }, batch = batch(0, hasRephrasings: hasRephrasings)
        _ = try whole.learn(batch, place: "whole")
        let limit = share * norm(gradient(whole))
        let clipped = try learner { ($0.regularization, $0.maxGradientNorm) = (regularization, limit) }
        _ = try clipped.learn(batch, place: "clipped")
        return (gradient(whole), gradient(clipped))
    }

    @Test func largeGradientsAreScaledToTheLimit() throws {
        let (whole, clipped) = try gradients(0.5)
        #expect(norm(whole) > 0 && relativeError(clipped, whole.map { $0 / 2 }) < 1e-5)
    }

    @Test func smallGradientsStayAsTheyAre() throws {
        let (whole, clipped) = try gradients(2)
        #expect(norm(whole) > 0 && clipped == whole)
    }

    /// 1e-6 is added to the norm by which gradients are scaled: of a norm of that size half is left. The loss is the norm of the edit alone.
    @Test func tinyGradientsAreNotDividedByNothing() throws {
        let size = norm(try gradients(2, hasRephrasings: false, regularization: 1).whole)
        let (whole, clipped) = try gradients(1, hasRephrasings: false, regularization: Float(1e-6 / size))
        #expect(abs(norm(whole) - 1e-6) < 1e-9 && relativeError(clipped, whole.map { $0 / 2 }) < 1e-3)
    }

    /// Clipped once, gradients of two batches add up as they are, and Adam sees their sum at the limit.
    @Test func clippingOnceIsOfTheSum() throws {
        let free = try learner(), once = try learner { ($0.clip, $0.maxGradientNorm) = (.update, 1e-3) }
        for number in [0, 1] as [Int32] {
            for learner in [free, once] { _ = try learner.learn(batch(number), place: "\(number)") }
        }
        let sum = gradient(free)
        #expect(norm(sum) > 0.01 && gradient(once) == sum)
        try once.endSequence(place: "the end")
        let seen = once.engine.editor.parameters.flatMap { $0.firstMoment.elements.map { Double($0) } }
        #expect(relativeError(seen, sum.map { 0.1 * $0 * 1e-3 / (norm(sum) + 1e-6) }) < 1e-4)
    }

    /// Clipped each time, no batch can add more than the limit.
    @Test func clippingEachTimeIsOfWhatHasAddedUp() throws {
        let each = try learner { $0.maxGradientNorm = 1e-3 }
        for number in [0, 1] as [Int32] {
            let report = try each.learn(batch(number), place: "\(number)")
            #expect(abs(norm(gradient(each)) / 1e-3 - 1) < 1e-3 && report.gradientNorms.count == 1 && report.gradientNorms[0] > 0.01)
        }
    }

    /// After every second batch, and at the end for what is left.
    @Test func updatesComeWhenTheyAreDue() throws {
        let learner = try learner { $0.updateEvery = 2 }
        let counts = try ([0, 1, 2] as [Int32]).map { number in
            _ = try learner.learn(batch(number), place: "\(number)")
            return [learner.updates, learner.batchesSinceUpdate]
        }
        #expect(counts == [[0, 1], [1, 0], [1, 1]])
        for _ in 0..<2 { try learner.endSequence(place: "the end") }
        #expect(learner.updates == 2 && learner.batchesSinceUpdate == 0 && norm(gradient(learner)) == 0)
    }

    /// Resumed between two updates, the next comes when it would have come.
    @Test func countsGoOnWhereTheyWere() throws {
        let learner = try learner { $0.updateEvery = 2 }
        learner.resume(updates: 5, optimizerSteps: 7, batchesSinceUpdate: 1)
        _ = try learner.learn(batch(0), place: "0")
        #expect(learner.updates == 6 && learner.batchesSinceUpdate == 0 && learner.optimizerSteps == 8)
    }

    /// Against the same mean over the values that updates leave, in double precision; the values themselves are as without.
    @Test func averagesFollowTheValues() throws {
        let plain = try learner { $0.updateEvery = 1 }
        let averaging = try learner { ($0.updateEvery, $0.averaging) = (1, 0.25) }
        func values(_ learner: MetaLearner) -> [Double] { learner.engine.editor.parameters.flatMap { $0.value.elements.map { Double($0) } } }
        var expected = values(averaging)
        for number in 0..<4 {
            for learner in [plain, averaging] { _ = try learner.learn(batch(Int32(number)), place: "\(number)") }
            let decay = [0.1, 2 / 11.0, 0.25, 0.25][number]
            expected = zip(expected, values(averaging)).map { decay * $0 + (1 - decay) * $1 }
        }
        let last = values(averaging)
        #expect(last == values(plain) && relativeError(expected, last) > 1e-5)
        let used = try averaging.withUsedParameters { values(averaging) }
        #expect(relativeError(used, expected) < 1e-6 && values(averaging) == last)
        #expect(try plain.withUsedParameters { values(plain) } == last)
    }

    @Test func gradientsThatAreNoNumbersStopIt() throws {
        let learner = try learner(), broken = learner.engine.editor.parameters[1]
        learner.inspectGradients = { broken.gradient[0, 0] = .infinity }
        let failure = #expect(throws: NumericalFailure.self) { try learner.learn(batch(0), place: "batch 3") }
        #expect(failure?.description.contains("batch 3") == true && failure?.description.contains(broken.name) == true)
    }

    // MARK: Terms beside the plan's

    /// With two micro-batches of what should be kept, of other sizes than the rephrasings'.
    private func batchWithText(_ number: Int32) -> EditBatch {
        func sequence(_ first: Int32) -> TokenSequence { TokenSequence(prompt: [first, 7], answer: [50 + number, 3, 12]) }
        var whole = batch(number)
        whole = EditBatch(edits: whole.edits, rephrasings: whole.rephrasings, unrelated: [[sequence(33), sequence(34)], [sequence(35)], [sequence(36)]])
        whole.bleed = whole.edits  // which the edit does make likelier
        whole.oldAnswers = whole.unrelated
        whole.text = [[TokenSequence(prompt: [5], answer: [6, 7, 8, 9, 10]), TokenSequence(prompt: [11], answer: [12, 13])]]
        return whole
    }

    private func gradient(_ change: @escaping (inout LearningOptions.Terms) -> Void) throws -> [Double] {
        let learner = try learner { change(&$0.terms) }
        _ = try learner.learn(batchWithText(0), place: "0")
        return gradient(learner)
    }

    @Test func termsCountAsTheirWeightsSay() throws {
        let none = try gradient { _ in }
        func share(_ change: @escaping (inout LearningOptions.Terms) -> Void) throws -> [Double] { zip(try gradient(change), none).map { $0 - $1 } }
        let edits = try share { $0.edits = 1 }, neighbors = try share { $0.neighbors.weight = 1 }, text = try share { $0.text.weight = 1 }
        #expect([edits, neighbors, text].allSatisfy { norm($0) > 1e-3 * norm(none) })
        // That of log P is cross entropy's, the other way round.
        #expect(relativeError(try share { $0.bleed.weight = 1 }, edits.map { -$0 }) < 1e-3)
        let all = try share { ($0.edits, $0.neighbors.weight, $0.text.weight) = (2, 3, 0.5) }
        #expect(relativeError(all, edits.indices.map { 2 * edits[$0] + 3 * neighbors[$0] + 0.5 * text[$0] }) < 1e-3)
    }

    @Test func whatStaysBelowABoundCostsNothing() throws {
        let none = try gradient { _ in }
        #expect(try gradient { ($0.neighbors, $0.text) = ((3, 1e6), (3, 1e6)) } == none)
        #expect(try gradient { $0.bleed = (3, 1e6) } == none)
        // Each token is to fall by the margin: by none some have, by much none has, and then it is log P itself that counts.
        let far = try gradient { $0.oldAnswers = (1, 1e3) }, farther = try gradient { $0.oldAnswers = (1, 1e4) }, no = try gradient { $0.oldAnswers = (1, 0) }
        #expect(far != none && relativeError(far, farther) < 1e-6 && far != no)
        let free = try gradient { $0.text.weight = 1 }, bound = try gradient { $0.text = (1, 1e-6) }
        #expect(free != none && bound != none)
    }

    /// Not as the batch found them, which carries an earlier batch's edits.
    @Test func neighborsAreHeldToTheUneditedModel() throws {
        let learner = try learner { ($0.terms.neighbors.weight, $0.terms.edits) = (4, 0.5) }, model = learner.engine.model
        let batch = batchWithText(1)
        func logits() -> [Matrix] {
            batch.unrelated.map { microBatch in
                let pack = PackedSequences(microBatches: [microBatch])
                return model.logits(pack, model.prefix(of: pack))
            }
        }
        let before = logits()
        _ = try learner.learn(batchWithText(0), place: "0")
        let between = logits(), report = try learner.learn(batch, place: "1"), after = logits()
        func divergence(_ before: [Matrix]) -> Double {
            zip(before, after).reduce(0) { sum, both in
                let rows = (0..<both.0.rows).map { row -> Double in
                    let (p, q) = (logProbabilities(both.0, row), logProbabilities(both.1, row))
                    return zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
                }
                return sum + rows.reduce(0, +) / Double(rows.count)
            } / Double(before.count)
        }
        let found = try #require(report.terms[.neighbors]?.first)
        #expect(abs(found / divergence(before) - 1) < 2e-3, "\(found), \(divergence(before))")
        #expect(abs(found / divergence(between) - 1) > 0.01, "\(found), \(divergence(between))")
        #expect(report.terms[.edits]?.count == 1 && report.terms[.text] == nil && report.divergences.isEmpty)
    }

    private func logProbabilities(_ logits: Matrix, _ row: Int) -> [Double] {
        let values = (0..<logits.columns).map { Double(logits[row, $0]) }, total = log(values.reduce(0) { $0 + exp($1) })
        return values.map { $0 - total }
    }

    // MARK: Steps that do no harm

    /// Of each edit those of its answer's tokens.
    private func losses(_ model: LanguageModel, _ batch: EditBatch) -> [[Double]] {
        batch.edits.flatMap(\.self).map { edit in
            let pack = PackedSequences(microBatches: [[edit]]), logits = model.logits(pack, model.prefix(of: pack))
            return edit.answer.enumerated().map { -logProbabilities(logits, $0.offset)[Int($0.element)] }
        }
    }

    private func means(_ losses: [[Double]]) -> [Double] { losses.map { $0.reduce(0, +) / Double($0.count) } }

    /// Where every step makes things worse, none is made.
    @Test(arguments: [1, 4]) func noStepRaisesAnEditsLoss(halvings: Int) throws {
        func after(_ halvings: Int) throws -> (before: [Double], after: [Double]) {
            let learner = try learner(steps: 2, innerLearningRate: -0.3), model = learner.engine.model
            learner.engine.stepControl.halvings = halvings
            let before = means(losses(model, batch(0)))
            try learner.engine.apply(batch(0), place: "0")
            return (before, means(losses(model, batch(0))))
        }
        let free = try after(0), settled = try after(halvings)
        #expect(zip(free.before, free.after).allSatisfy { $1 > $0 + 0.1 })
        #expect(zip(settled.before, settled.after).allSatisfy { abs($1 - $0) < 1e-4 }, "\(settled)")
    }

    /// A step that is halved k times is the step of a rate 2ᵏ times smaller, and is learned from as that.
    @Test func halvedStepsAreLearnedFromAsSuch() throws {
        func learned(_ first: Int32, _ rate: Float, halvings: Int) throws -> (edit: [Double], gradient: [Double]) {
            // Of one answer token alone the standardised rows would be zero.
            func sequence(_ first: Int32) -> TokenSequence { TokenSequence(prompt: [first, 7, 40], answer: [60, 9]) }
            let learner = try learner(innerLearningRate: rate)
            learner.engine.stepControl.halvings = halvings
            _ = try learner.learn(EditBatch(edits: [[sequence(first)]], rephrasings: [[sequence(first + 1)]], unrelated: []), place: "0")
            let matrices = learner.engine.editor.parameters.filter { !$0.isScalars }
            return (
                learner.engine.model.edited.flatMap { $0.edit.transposedShift().elements.map { Double($0) } },
                matrices.flatMap { $0.gradient.elements.map { Double($0) } }
            )
        }
        // Of these prompts some are such that a large step raises the loss and a smaller one does not.
        var compared: Set<Int> = []
        var isEnough: Bool { compared.contains { $0 % 2 == 1 } && compared.contains { $0 % 2 == 0 } }
        for prompt in 0..<40 as Range<Int32> where !isEnough {
            let first = 10 + prompt / 2, rate: Float = prompt % 2 == 0 ? 64 : 32
            let halved = try learned(first, rate, halvings: 16)
            guard norm(halved.edit) > 0 else { continue }  // no step was small enough
            for halvings in 1..<16 {
                let plain = try learned(first, rate / Float(1 << halvings), halvings: 0)
                guard relativeError(halved.edit, plain.edit) < 1e-3 else { continue }
                #expect(relativeError(halved.gradient, plain.gradient) < 1e-2, "\(halvings) times")
                compared.insert(halvings)
            }
        }
        #expect(isEnough, "\(compared)")
    }

    /// As far as a step is in the linear range, it takes the share κ of the loss, whatever η is; a bound that nothing reaches changes nothing.
    @Test func boundedStepsTakeTheirShareOfTheLoss() throws {
        // Of one micro-batch, with answers of different lengths.
        let edits = [TokenSequence(prompt: [20, 7, 40], answer: [60, 9]), TokenSequence(prompt: [33, 8], answer: [61, 9, 70, 12])]
        func made(_ edits: [TokenSequence], _ rate: Float, _ bound: Float) throws -> (edit: [Double], falls: [Double]) {
            let learner = try learner(innerLearningRate: rate), model = learner.engine.model, batch = EditBatch(edits: [edits], rephrasings: [], unrelated: [])
            learner.engine.stepControl.stepBound = bound
            let before = means(losses(model, batch))
            try learner.engine.apply(batch, place: "0")
            return (
                model.edited.flatMap { $0.edit.transposedShift().elements.map { Double($0) } }, zip(before, means(losses(model, batch))).map { 1 - $1 / $0 }
            )
        }
        for edit in edits {
            let bounded = try made([edit], 1, 0.02), larger = try made([edit], 100, 0.02)
            #expect(abs(bounded.falls[0] / 0.02 - 1) < 0.1, "\(bounded.falls)")
            #expect(relativeError(larger.edit, bounded.edit) < 1e-3)
        }
        // Each also takes a little of what the other does, in its own proportion.
        for fall in try made(edits, 1, 0.02).falls { #expect(abs(fall / 0.02 - 1) < 0.4, "\(fall)") }
        #expect(try made(edits, 1e-3, 1e3).edit == made(edits, 1e-3, 0).edit)
    }

    /// The loss changes along its gradient as that says; of few edits and of more than a key has entries.
    @Test(arguments: [0, 0.5, 0.05] as [Float], [2, 40] as [Int32])
    func boundedStepsAreLearnedFromAsSuch(bound: Float, count: Int32) throws {
        let found = try slopes(bound: bound, count: count)
        #expect(abs(found.ofLoss / found.gradient - 1) < 0.03, "\(found)")
    }

    /// So it does where a step that was bounded has been halved as well: of a single edit, of which something is left.
    @Test func boundedAndHalvedStepsAreLearnedFromAsSuch() throws {
        var compared = 0
        for bound in [5, 10, 15, 20, 30, 40, 60, 80] as [Float] {
            let whole = try slopes(bound: bound, rate: 1000, count: 1), found = try slopes(bound: bound, halvings: 12, rate: 1000, count: 1)
            guard found.edit != whole.edit, found.gradient > 0 else { continue }
            #expect(abs(found.ofLoss / found.gradient - 1) < 0.005, "\(bound): \(found.ofLoss), \(found.gradient)")
            compared += 1
        }
        #expect(compared >= 2, "\(compared)")
    }

    /// How fast the loss changes along its gradient, as that says and as it does; and the edit.
    private func slopes(bound: Float, halvings: Int = 0, rate: Float = 3, count: Int32) throws -> (ofLoss: Double, gradient: Double, edit: [Float]) {
        let edits = (0..<count).map { TokenSequence(prompt: [20 + $0, 7, 40], answer: $0 % 2 == 0 ? [60, 9] : [61, 9, 70]) }
        let batch = EditBatch(edits: [edits], rephrasings: [edits.map { TokenSequence(prompt: [$0.prompt[0], 50], answer: $0.answer) }], unrelated: [])
        /// With matrices moved along a direction, from where none of the network's units is at its kink.
        func learned(_ direction: [[Float]]? = nil, _ step: Float = 0) throws -> (loss: Double, parameters: [Parameter], learner: MetaLearner) {
            let learner = try learner(learnsLogarithmOfRates: true, innerLearningRate: rate) { $0.regularization = 0 }
            (learner.engine.stepControl.stepBound, learner.engine.stepControl.halvings) = (bound, halvings)
            let parameters = learner.engine.editor.parameters
            for parameter in parameters where !parameter.isScalars {
                for index in 0..<parameter.value.count {
                    parameter.value[index / parameter.value.columns, index % parameter.value.columns] += 0.1 * sin(Float(index + 1))
                }
            }
            for (parameter, direction) in zip(parameters, direction ?? []) {
                for (index, along) in direction.enumerated() { parameter.value[index / parameter.value.columns, index % parameter.value.columns] += step * along }
            }
            return (try learner.learn(batch, place: "0").losses[0], parameters, learner)
        }
        let here = try learned()
        let direction = here.parameters.map { parameter in
            parameter.isScalars ? [Float](repeating: 0, count: parameter.value.count) : parameter.gradient.elements.map { Float($0) }
        }
        let length = direction.joined().reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        let step = 2e-4 / Float(length)
        let slope = (try learned(direction, step).loss - learned(direction, -step).loss) / (2 * Double(step)) / length
        return (slope, length, here.learner.engine.model.edited.flatMap { $0.edit.transposedShift().elements })
    }

    @Test func editsThatAreMadeTakeNoMoreSteps() throws {
        let learner = try learner(steps: 3), model = learner.engine.model, losses = means(losses(model, batch(0)))
        func apply(_ bound: Double) throws -> [Double] {
            model.restore()
            learner.engine.stepControl.lossBound = Float(bound)
            try learner.engine.apply(batch(0), place: "0")
            return means(self.losses(model, batch(0)))
        }
        #expect(try apply((losses.max() ?? 0) + 1) == losses, "all were made")
        let free = try apply(1e-9), between = try apply((losses[0] + losses[1]) / 2), made = losses[0] < losses[1] ? 0 : 1
        #expect(free[made] != losses[made] && free[1 - made] < losses[1 - made] && between[1 - made] < losses[1 - made])
        // Held where it was, as far as the ridge goes.
        #expect(abs(between[made] - losses[made]) < abs(free[made] - losses[made]))
        learner.engine.stepControl.lossBound = Float((losses.max() ?? 0) + 1)
        model.restore()
        let report = try learner.learn(batch(0), place: "1")
        #expect(report.gradientNorms.isEmpty && report.losses.count == 1 && norm(gradient(learner)) == 0)
    }

    /// A later batch moves an earlier one less where that is held, whether it is learned from or not; an unedited model holds nothing.
    @Test(arguments: [false, true]) func earlierEditsAreHeld(learns: Bool) throws {
        func change(_ weight: Float) throws -> (made: [Double], moved: Double) {
            let learner = try learner(innerLearningRate: 3), engine = learner.engine
            engine.preservation.earlierWeight = weight
            func edit(_ number: Int32) throws {
                if learns { _ = try learner.learn(batch(number), place: "\(number)") } else { try engine.apply(batch(number), place: "\(number)") }
            }
            try edit(0)
            let made = means(losses(engine.model, batch(0)))
            try edit(1)
            return (made, zip(made, means(losses(engine.model, batch(0)))).reduce(0) { $0 + abs($1.1 - $1.0) })
        }
        let free = try change(0), held = try change(100)
        #expect(free.made == held.made)
        #expect(free.moved > 0.01 && held.moved < free.moved / 4, "\(free.moved), \(held.moved)")
    }

    // MARK: Rates

    @Test func ratesRiseAndFall() {
        var schedule = RateSchedule()
        #expect((0..<5).allSatisfy { schedule.factor(update: $0) == 1 })
        (schedule.warmup, schedule.decay) = (4, 12)
        #expect((0..<4).map { schedule.factor(update: $0) } == [0.25, 0.5, 0.75, 1] && schedule.factor(update: 4) == 1)
        #expect(abs(schedule.factor(update: 8) - 0.525) < 1e-12)
        // A quarter of the way along a cosine, 1 + cos 45°.
        #expect(abs(schedule.factor(update: 6) - (0.05 + 0.475 * (1 + 0.5.squareRoot()))) < 1e-12)
        #expect([12, 13, 1000].allSatisfy { abs(schedule.factor(update: $0) - 0.05) < 1e-12 })
    }

    /// Adam's first step is the rate, whatever the gradient: of log η where its logarithm is learned, of the matrices at their own rate, both as the
    /// schedule has them.
    @Test func scalarsHaveARateOfTheirOwn() throws {
        let learner = try learner(learnsLogarithmOfRates: true) {
            ($0.metaLearningRate, $0.scalarLearningRate, $0.updateEvery) = (1e-3, 2e-2, 1)
            $0.schedule.warmup = 2
        }
        let parameters = learner.engine.editor.parameters, before = parameters.map { $0.value.elements.map { Double($0) } }
        _ = try learner.learn(batch(0), place: "0")
        // Where B is zero nothing depends on A and scale.
        for (parameter, before) in zip(parameters, before) where !["A", "scale"].contains(parameter.name.split(separator: ".").last) {
            let after = parameter.value.elements.map { Double($0) }, isRate = parameter.name.hasSuffix("lr")
            let steps = zip(after, before).map { abs(isRate ? log($0 / $1) : $0 - $1) }
            let expected = isRate || parameter.name.hasSuffix("log_lambda") ? 1e-2 : 5e-4
            #expect(abs((steps.max() ?? 0) / expected - 1) < 1e-2, "\(parameter.name): \(steps.max() ?? 0)")
            if isRate { #expect(after.allSatisfy { $0 > 0 }) }
        }
    }

    /// The gradients of scalars do not drown in those of the matrices, nor these in theirs.
    @Test func scalarsAreClippedApart() throws {
        let free = try learner(learnsLogarithmOfRates: true) { $0.scalarLearningRate = 1e-2 }
        let clipped = try learner(learnsLogarithmOfRates: true) { ($0.scalarLearningRate, $0.maxGradientNorm) = (1e-2, 1e-5) }
        let reports = try [free, clipped].map { try $0.learn(batch(0), place: "0") }
        // What is reported is of all together, before it is clipped.
        for report in reports { #expect(abs(report.gradientNorms[0] / norm(gradient(free)) - 1) < 1e-3) }
        for isScalars in [false, true] {
            func part(_ learner: MetaLearner) -> [Double] {
                learner.engine.editor.parameters.filter { $0.isScalars == isScalars }.flatMap { $0.gradient.elements.map { Double($0) } }
            }
            let whole = part(free), factor = 1e-5 / (norm(whole) + 1e-6)
            #expect(norm(whole) > 1e-4 && relativeError(part(clipped), whole.map { factor * $0 }) < 1e-3)
        }
    }

    /// One normaliser: the first step's moments see the batch, the second step's network has none of its own that learn.
    @Test func theFirstStepsMomentsServeAllSteps() throws {
        func counts(_ normalizer: EditorOptions.Normalizer) throws -> [Int] {
            let learner = try learner(steps: 2, normalizer: normalizer)
            _ = try learner.learn(batch(0), place: "0")
            return learner.engine.editor.allNetworks.map(\.moments.count)
        }
        // Two edits of two answer tokens; two groups of modules at each of two steps.
        #expect(try counts(.perStep) == [4, 4, 4, 4] && counts(.firstStep) == [4, 4, 0, 0])
    }
}
