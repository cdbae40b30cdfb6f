import Communication
import Datasets
import Editing
import Editors
import Foundation
import TensorCore
import Tokenization
import Transformer
import WeightFiles

/// One editor on one tiny model: its first backpropagation, its hypernetwork gradient, a short training, and the edits that the
/// trained editor makes. Tolerances are those that the oracle's script states.
enum EditorCase {
    struct Description: Decodable {
        struct Config: Decodable {
            let rank: Int, blocks: Int, steps: Int
            let lr: Float, meta_lr: Double, max_grad_norm: Double, reg: Float, loc_coef: Float, time_decay: Float, back_depth: Int
        }
        struct Loss: Decodable { let gen_loss: Double; let loc_loss: Double? }
        struct Score: Decodable { let accuracy: [Double]; let log_probability: [Double] }

        let method: String, family: String
        let modules: [String]
        let config: Config
        let losses: [Loss]
        let shift_norms: [[[String: Double]]]
        let scores: [[String: [Score]]]
    }

    static func run(_ directory: String, _ name: String) throws -> CaseResult.Outcome {
        let path = "\(directory)/editors/\(name)"
        guard let data = FileManager.default.contents(atPath: path + "/case.json") else { throw BadInput(path + "/case.json", "cannot be read") }
        let description: Description
        do { description = try JSONDecoder().decode(Description.self, from: data) } catch { throw BadInput(path + "/case.json", "is not an editor case: \(error)") }
        // "emsedit_batch", or "mend" where a method has one mode.
        let name = description.method.split(separator: "_").map(String.init)
        guard let method = EditingMethod.named(name[0]),
            let plan = name.count > 1
                ? EditingMethod.Mode(rawValue: name[1]).flatMap({ method.plans[$0] }) : EditingMethod.Mode.allCases.lazy.compactMap({ method.plans[$0] }).first
        else { return .notSupported("the editor \(description.method) is not built") }
        let model: LanguageModel
        do { model = try ModelSource("\(directory)/models/\(description.family)").loadModel() } catch let error as UnsupportedFamily {
            return .notSupported("\(error)")
        }
        try model.selectModules(description.modules)
        let bench = EditorBench(description: description, method: method, plan: plan, model: model, tensors: try SafetensorsFile(path: path + "/tensors.safetensors"))
        var comparison = Comparison()
        try bench.compareFirstStep(&comparison)
        guard method.isTrained else {
            try bench.compareEditing(bench.makeEngine(), &comparison)
            return comparison.outcome
        }
        try bench.compareGradient(of: bench.makeEngine(), &comparison)
        // As in a batch of thousands of edits: a row or a micro-batch at a time, so many rows to a shard that ranks would exchange matrices.
        let small = try bench.makeEngine(shards: 1)
        small.activationsAtATime = 1
        try bench.compareGradient(of: small, where: " in parts", &comparison)
        let trained = try bench.compareTraining(&comparison)
        try bench.compareEditing(trained, &comparison)
        return comparison.outcome
    }
}

/// The parts of an editor case, each on a fresh model and editor.
private struct EditorBench {
    let description: EditorCase.Description
    let method: EditingMethod
    let plan: EditingMethod.Plan
    let model: LanguageModel
    let tensors: SafetensorsFile

    /// The oracle's initial networks on the unedited model.
    func makeEngine(shards: Int = 8) throws -> EditEngine {
        model.restore()
        let config = description.config
        var options = EditorOptions(
            steps: config.steps, rank: config.rank, blocks: config.blocks, innerLearningRate: config.lr,
            hasNetworkPerStep: plan.hasNetworkPerStep, seed: 1)
        options.use(method)
        let editor = Editor(
            options, shapes: model.edited.map { ModuleShape(keySize: $0.keySize, valueSize: $0.valueSize) },
            ownership: .everything(pieces: shards))
        for parameter in editor.parameters {
            let initial = try floats(tensors, "initial." + parameter.name)
            guard initial.count == parameter.value.count else {
                throw BadInput(tensors.path, "'initial.\(parameter.name)' has \(initial.count) elements, expected \(parameter.value.count)")
            }
            parameter.value.assign(initial.reshaped(rows: parameter.value.rows, columns: parameter.value.columns))
        }
        return EditEngine(model: model, editor: editor, rule: method.rule, work: ShardedWork(communicator: Communicator(), shards: shards))
    }

    private func learner(_ engine: EditEngine, maxGradientNorm: Double, rate: Double) -> MetaLearner {
        var options = LearningOptions(
            plan: plan, steps: description.config.steps, regularization: description.config.reg, localityWeight: description.config.loc_coef,
            maxGradientNorm: maxGradientNorm, metaLearningRate: rate)
        // Cases name them for every method; of the published ones RLEdit alone looks back.
        if method.name == "rledit" { (options.backDepth, options.timeDecay) = (description.config.back_depth, description.config.time_decay) }
        return MetaLearner(engine: engine, options: options)
    }

    private func batches(_ prefix: String) throws -> [EditBatch] {
        func microBatches(_ batch: Int, _ kind: String) throws -> [[TokenSequence]] {
            try (0...).lazy.prefix { tensors.tensor("\(prefix).\(batch).\(kind).\($0).input_ids") != nil }
                .map { try PaddedBatch(tensors, prefix: "\(prefix).\(batch).\(kind).\($0).").sequences }
        }
        return try (0...).lazy.prefix { tensors.tensor("\(prefix).\($0).edit.0.input_ids") != nil }.map {
            EditBatch(edits: try microBatches($0, "edit"), rephrasings: try microBatches($0, "equiv"), unrelated: try microBatches($0, "unrel"))
        }
    }

    func compareFirstStep(_ comparison: inout Comparison) throws {
        guard tensors.tensorNames.contains(where: { $0.hasPrefix("first.") }) else { return }
        let engine = try makeEngine()
        let capture = try engine.captureForInspection(batches("train")[0].edits)
        for (rows, name) in zip(capture, description.modules) {
            comparison.compare("first.\(name).keys", rows.keys.elements, try floats(tensors, "first.\(name).keys").elements, tolerance: 1e-4)
            comparison.compare("first.\(name).grads", rows.gradients.elements, try floats(tensors, "first.\(name).grads").elements, tolerance: 1e-4)
        }
        try engine.apply(step: 0, of: batches("train")[0], place: "the first batch")
        for module in model.edited {
            let shift = module.edit.transposedShift()
            comparison.compare("first.\(module.name).shift", shift.elements, try floats(tensors, "first.\(module.name).shift").elements, tolerance: 1e-4)
        }
    }

    func compareGradient(of engine: EditEngine, where how: String = "", _ comparison: inout Comparison) throws {
        let learner = learner(engine, maxGradientNorm: .infinity, rate: 0)
        var gradients: [String: [Float]] = [:]
        learner.inspectGradients = {
            for parameter in engine.editor.parameters { gradients[parameter.name] = parameter.gradient.elements }
        }
        _ = try learner.learn(batches("train")[0], place: "the first batch")
        for parameter in engine.editor.parameters {
            guard tensors.tensor("gradient." + parameter.name) != nil else {  // the method does not use it
                comparison.require("gradient.\(parameter.name)\(how) is zero", gradients[parameter.name]?.allSatisfy { $0 == 0 } ?? false)
                continue
            }
            let isScalar = parameter.name.hasSuffix(".lr") || parameter.name.hasSuffix(".log_lambda")
            comparison.compare(
                "gradient.\(parameter.name)\(how)", gradients[parameter.name] ?? [],
                try floats(tensors, "gradient.\(parameter.name)").elements, tolerance: isScalar ? 3e-3 : 1e-3)
        }
    }

    func compareTraining(_ comparison: inout Comparison) throws -> EditEngine {
        let engine = try makeEngine()
        let learner = learner(engine, maxGradientNorm: description.config.max_grad_norm, rate: description.config.meta_lr)
        var losses: [Double] = [], divergences: [Double] = []
        let training = try batches("train")
        for (number, batch) in training.enumerated() {
            let earlier = training[..<number].suffix(learner.batchesBack).reversed()
            let report = try learner.learn(batch, earlier: Array(earlier), place: "batch \(number + 1)")
            var isMean = false  // the oracle reports means where each step is learned from by itself
            if case .step = plan.schedule { isMean = true }
            losses += report.losses.map { isMean ? $0 / Double(batch.rephrasings.count) : $0 }
            divergences += report.divergences.map { isMean ? $0 / Double(batch.unrelated.count) / Double(description.config.loc_coef) : $0 }
        }
        try learner.endSequence(place: "the last batch")
        comparison.require("number of losses", losses.count == description.losses.count)
        for (index, (found, expected)) in zip(losses, description.losses).enumerated() {
            comparison.compare("loss \(index)", found, expected.gen_loss, tolerance: 1e-3)
        }
        let expectedDivergences = description.losses.compactMap { plan.locality != nil ? $0.loc_loss : nil }
        comparison.require("number of divergences", divergences.count == expectedDivergences.count)
        for (index, (found, expected)) in zip(divergences, expectedDivergences).enumerated() {
            comparison.compare("divergence \(index)", found, expected, tolerance: 1e-3)
        }
        for parameter in engine.editor.parameters {
            comparison.compare("final.\(parameter.name)", parameter.value.elements, try floats(tensors, "final.\(parameter.name)").elements, tolerance: 1e-2)
        }
        for network in engine.editor.allNetworks {
            let name = network.learningRates.name.replacing(".lr", with: ".normalizer")
            comparison.compare("final.\(name).mean", network.moments.means.map { Float($0) }, try floats(tensors, "final.\(name).mean").elements, tolerance: 1e-2)
            comparison.require("final.\(name).n", Float(network.moments.count) == (try floats(tensors, "final.\(name).n").elements[0]))
        }
        return engine
    }

    func compareEditing(_ engine: EditEngine, _ comparison: inout Comparison) throws {
        model.restore()
        let editing = try batches("edit")
        for (number, batch) in editing.enumerated() {
            for step in 0..<description.config.steps {
                let before = model.edited.map { $0.edit.materialized() }
                try engine.apply(step: step, of: batch, place: "edit batch \(number + 1)")
                for (module, before) in zip(model.edited, before) {
                    let shift = module.edit.materialized()
                    shift.add(before, times: -1)
                    comparison.compare(
                        "shift norm of \(module.name)", shift.sumOfSquares.squareRoot(),
                        description.shift_norms[number][step][module.name] ?? .nan, tolerance: 1e-2)
                }
            }
        }
        for module in model.edited {
            comparison.compare(
                "edited.\(module.name).delta", (module.isStoredTransposed ? module.edit.transposedShift() : module.edit.materialized()).elements,
                try floats(tensors, "edited.\(module.name).delta").elements, tolerance: 1e-2)
        }
        for (batch, expected) in zip(editing, description.scores) {
            for (kind, microBatches) in [("edit", batch.edits), ("equiv", batch.rephrasings), ("unrel", batch.unrelated)] {
                for (sequences, expected) in zip(microBatches, expected[kind] ?? []) { score(kind, sequences, expected, &comparison) }
            }
        }
    }

    private func score(_ kind: String, _ sequences: [TokenSequence], _ expected: EditorCase.Description.Score, _ comparison: inout Comparison) {
        let pack = PackedSequences(microBatches: [sequences])
        let predictions = model.score(pack, model.prefix(of: pack))
        let logProbabilities = pack.predictions.map { range in range.reduce(Float(0)) { $0 + predictions[$1].logProbability } / Float(range.count) }
        comparison.compare("log probabilities of \(kind)", logProbabilities, expected.log_probability.map { Float($0) }, tolerance: 1e-2)
        for (range, accuracy) in zip(pack.predictions, expected.accuracy) {
            let right = Double(range.filter { predictions[$0].isMostLikely }.count) / Double(range.count)
            comparison.compare("token accuracy of \(kind)", right, accuracy, tolerance: 1e-6)
        }
    }
}
