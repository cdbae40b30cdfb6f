import Foundation
import LinearAlgebra
import TensorCore
import TestSupport
import Testing
import Tokenization
import Transformer
import WeightFiles

/// A tiny random model and what Hugging Face's implementation computes with it on a padded micro-batch: written by the oracle.
struct Golden {
    static let families = ["gpt2", "gptj", "llama", "llama3", "mistral", "qwen2", "gemma2", "gemma3"]  // llama3: scaled frequencies, a tied head

    /// The modules of a layer's feed-forward part, the last of which ends it; with a range of layers, their patterns.
    static func feedForward(_ family: String, _ layers: String) -> [String] {
        switch family {
        case "gpt2": ["c_fc", "c_proj"].map { "transformer.h.\(layers).mlp.\($0)" }
        case "gptj": ["fc_in", "fc_out"].map { "transformer.h.\(layers).mlp.\($0)" }
        default: ["gate_proj", "up_proj", "down_proj"].map { "model.layers.\(layers).mlp.\($0)" }
        }
    }

    /// The modules whose rows are recorded.
    static func modules(_ family: String) -> [String] {
        Array(feedForward(family, "1").prefix(1) + feedForward(family, "2").dropFirst() + feedForward(family, "3").suffix(1))
    }

    let family: String
    let directory: String
    private let file: SafetensorsFile

    init(_ family: String) throws { try self.init(family: family, directory: family) }

    /// One of make_cases.py.
    init(case name: String) throws { try self.init(family: name, directory: "cases/" + name) }

    private init(family: String, directory: String) throws {
        self.family = family
        self.directory = try #require(Bundle.module.url(forResource: "Fixtures/\(directory)", withExtension: nil)).path
        file = try SafetensorsFile(path: self.directory + "/golden.safetensors")
    }

    static let cases: [String] = {
        let directory = Bundle.module.url(forResource: "Fixtures/cases", withExtension: nil)?.path ?? ""
        return ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    }()

    /// As the file names them.
    var recordedModules: [String] { file.tensorNames.filter { $0.hasSuffix(".keys") }.map { String($0.dropLast(".keys".count)) }.sorted() }

    /// Edits the recorded modules, unless others are named.
    func loadModel(editing patterns: [String]? = nil) throws -> LanguageModel {
        let model = try ModelSource(directory).loadModel()
        try model.selectModules(patterns ?? Self.modules(family))
        return model
    }

    func matrix(_ name: String) throws -> Matrix {
        let tensor = try file.require(name)
        let result = Matrix(rows: tensor.rows, columns: tensor.columns)
        try tensor.decodeRows(0..<tensor.rows, into: result.pointer)
        return result
    }

    private func integers(_ name: String) throws -> [[Int32]] {
        let tensor = try file.require(name)
        let all = tensor.byteRange.lowerBound
        return (0..<tensor.rows).map { row in
            (0..<tensor.columns).map { column in
                let offset = all + 8 * (row * tensor.columns + column)
                return Int32(tensor.file.bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
            }
        }
    }

    /// The micro-batch without its padding. A label at a position is the token after it.
    func sequences() throws -> [TokenSequence] {
        try zip(zip(integers("input_ids"), integers("attention_mask")), integers("labels")).map { input, labels in
            let length = input.1.count { $0 == 1 }
            let first = try #require(labels.firstIndex { $0 != -100 })
            return TokenSequence(prompt: Array(input.0[...first]), answer: Array(labels[first..<length]))
        }
    }

    /// The rows of `logits` [sequences · width, vocabulary] that predict an answer token, in order.
    func answerLogits() throws -> [Float] {
        let logits = try matrix("logits"), labels = try integers("labels").flatMap { $0 }
        return labels.indices.filter { labels[$0] != -100 }.flatMap { logits.rows($0..<$0 + 1).elements }
    }
}

/// A few sequences of random tokens; the answer of one is a single token.
func randomSequences(_ count: Int = 4, seed: UInt32 = 1) -> [TokenSequence] {
    (0..<count).map { index in
        TokenSequence(
            prompt: randomTokens(3 + 5 * index % 7, seed: seed + UInt32(index)),
            answer: randomTokens(1 + index % 4, seed: seed + 1000 + UInt32(index)))
    }
}

func randomTokens(_ count: Int, seed: UInt32) -> [Int32] {
    let stream = RandomStream(seed: 13, purpose: .tests, lane: seed)
    return (0..<count).map { Int32(stream.block(UInt64($0)).0 % 97) }
}

func normals(_ rows: Int, _ columns: Int, lane: UInt32, scale: Float) -> Matrix { normals(rows, columns, seed: 17, lane: lane, scale: scale) }

/// Whether any number differs.
func differ(_ x: [Float], _ y: [Float]) -> Bool { x.map(\.bitPattern) != y.map(\.bitPattern) }

extension LanguageModel {
    /// Logits of every prediction, row by row, from the first layer on.
    func logits(of pack: PackedSequences) -> [Float] { logits(pack, prefix(of: pack)).elements }

    func logProbabilities(of pack: PackedSequences) -> [Float] { score(pack, prefix(of: pack)).map(\.logProbability) }

    func losses(of pack: PackedSequences) -> [Float] { backpropagate(pack, prefix(of: pack), on: .answerTokens) { _ in } }

    /// The rows of every edited module, by module.
    func rows(of pack: PackedSequences, on rows: GradientRows) -> [CapturedRows] {
        var result: [CapturedRows] = []
        _ = backpropagate(pack, prefix(of: pack), on: rows) { result.append($0) }
        return result.sorted { $0.module < $1.module }
    }
}

/// A small random edit of `rows` rows for every edited module; as large as a few hundredths of the weights.
func edit(_ model: LanguageModel, rows: Int = 3, lane: UInt32 = 1) {
    for (index, module) in model.edited.enumerated() {
        module.add(
            keys: normals(rows, module.keySize, lane: lane + 2 * UInt32(index), scale: 0.1),
            products: normals(rows, module.valueSize, lane: lane + 2 * UInt32(index) + 1, scale: 0.1))
    }
}
