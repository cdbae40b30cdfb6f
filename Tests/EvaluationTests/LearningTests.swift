import Communication
import Datasets
import Editing
import Editors
import TestSupport
import Testing
import Tokenization
import Transformer

/// What meta-training does with the gradients of its batches, and when.
@Suite struct LearningTests {
    private typealias Change = (inout LearningOptions) -> Void

    /// One step a batch, in sequences, on a fresh model.
    private func learner(steps: Int = 1, normalizer: EditorOptions.Normalizer = .perStep, _ change: Change = { _ in }) throws -> MetaLearner {
        let directory = try TemporaryDirectory()
        try TinyModel().write(to: directory.url)
        let model = try ModelSource(directory.path).loadModel()
        try model.selectModules(["model.layers.1.mlp.gate_proj", "model.layers.2.mlp.down_proj"])
        withExtendedLifetime(directory) {}  // read until here
        let method = try #require(EditingMethod.named("emsedit")), plan = try #require(method.plans[.sequential])
        var editing = EditorOptions(steps: steps, rank: 8, blocks: 2, innerLearningRate: 1e-3, hasNetworkPerStep: true, seed: 1)
        editing.normalizer = normalizer
        editing.use(method)
        let shapes = model.edited.map { ModuleShape(keySize: $0.keySize, valueSize: $0.valueSize) }
        let engine = EditEngine(
            model: model, editor: Editor(editing, shapes: shapes, ownership: .everything(pieces: 2)), rule: method.rule,
            work: ShardedWork(communicator: Communicator(), shards: 2))
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

    @Test func gradientsThatAreNoNumbersStopIt() throws {
        let learner = try learner(), broken = learner.engine.editor.parameters[1]
        learner.inspectGradients = { broken.gradient[0, 0] = .infinity }
        let failure = #expect(throws: NumericalFailure.self) { try learner.learn(batch(0), place: "batch 3") }
        #expect(failure?.description.contains("batch 3") == true && failure?.description.contains(broken.name) == true)
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
