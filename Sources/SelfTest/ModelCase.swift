import TensorCore
import Tokenization
import Transformer
import WeightFiles

/// A tiny model of one family: logits, loss, and keys and value gradients of some modules on one padded micro-batch.
enum ModelCase {
    static func run(_ directory: String, _ family: String) throws -> CaseResult.Outcome {
        let path = "\(directory)/models/\(family)"
        let model: LanguageModel
        do { model = try ModelSource(path).loadModel() } catch let error as UnsupportedFamily { return .notSupported("\(error)") }
        let golden = try SafetensorsFile(path: path + "/golden.safetensors")
        let modules = golden.tensorNames.filter { $0.hasSuffix(".keys") }.map { String($0.dropLast(".keys".count)) }.sorted()
        try model.selectModules(modules)

        let batch = try PaddedBatch(golden, prefix: "")
        for sequence in batch.sequences { try model.check(sequence.prompt + sequence.answer.dropLast(), of: golden.path) }
        let pack = PackedSequences(microBatches: [batch.sequences])
        let prefix = model.prefix(of: pack)
        var comparison = Comparison()
        comparison.compare("logits", model.logits(pack, prefix).elements, batch.atAnswers(try floats(golden, "logits")), tolerance: 1e-4)
        var rows = [CapturedRows?](repeating: nil, count: modules.count)
        let losses = model.backpropagate(pack, prefix, on: .answerTokens) { rows[$0.module] = $0 }
        comparison.compare("loss", losses.reduce(0.0) { $0 + Double($1) }, Double(try floats(golden, "loss").elements[0]), tolerance: 1e-4)
        for (name, rows) in zip(modules, rows) {
            comparison.compare("\(name).keys", rows?.keys.elements ?? [], try floats(golden, "\(name).keys").elements, tolerance: 1e-4)
            comparison.compare("\(name).grads", rows?.gradients.elements ?? [], try floats(golden, "\(name).grads").elements, tolerance: 1e-4)
        }
        return comparison.outcome
    }
}

/// A right-padded micro-batch as the oracle writes it.
struct PaddedBatch {
    let sequences: [TokenSequence]
    private let answerPlaces: [Int]  // of each answer token, among all padded places
    private let width: Int

    init(_ file: SafetensorsFile, prefix: String) throws {
        let ids = try integers(file, prefix + "input_ids"), labels = try integers(file, prefix + "labels")
        let shape = try file.require(prefix + "input_ids").shape
        guard shape.count == 2, labels.count == ids.count else { throw BadInput(file.path, "'\(prefix)input_ids' and labels do not fit each other") }
        width = shape[1]
        var sequences: [TokenSequence] = [], places: [Int] = []
        for row in 0..<shape[0] {
            let predicted = (row * width..<(row + 1) * width).filter { labels[$0] != -100 }
            guard let first = predicted.first else { throw BadInput(file.path, "sequence \(row) of '\(prefix)' predicts nothing") }
            sequences.append(TokenSequence(prompt: ids[row * width...first].map { Int32($0) }, answer: predicted.map { Int32(labels[$0]) }))
            places += predicted
        }
        self.sequences = sequences
        answerPlaces = places
    }

    /// The rows of a padded [sequences, width, n] tensor at answer tokens.
    func atAnswers(_ tensor: Matrix) -> [Float] {
        answerPlaces.flatMap { place in Array(UnsafeBufferPointer(start: tensor.row(place), count: tensor.columns)) }
    }
}

/// A tensor decoded as [product of leading extents, last extent].
func floats(_ file: SafetensorsFile, _ name: String) throws -> Matrix {
    let tensor = try file.require(name)
    let matrix = Matrix(uninitializedRows: tensor.rows, columns: tensor.columns)
    try tensor.decodeRows(0..<tensor.rows, into: matrix.pointer)
    return matrix
}

/// An I64 tensor's elements.
func integers(_ file: SafetensorsFile, _ name: String) throws -> [Int] {
    let tensor = try file.require(name)
    guard tensor.elementType == .i64 else { throw BadInput(file.path, "'\(name)' is \(tensor.elementType.name); expected I64") }
    let bytes = UnsafeRawBufferPointer(rebasing: tensor.file.bytes[tensor.byteRange])
    return (0..<tensor.elementCount).map { Int(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) }
}
