import Foundation
import TensorCore
import TestSupport
import Testing
import Transformer
import WeightFiles

/// Short runs by default; `AMEND_FUZZ_SECONDS=600 swift test --filter TransformerTests.FuzzTests` for long ones, AMEND_FUZZ_SEED for others,
/// AMEND_FUZZ_FIRST for the number of the first input.
@Suite(.serialized) struct FuzzTests {
    @Test func damagedSafetensors() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            var fuzzer = try ModelFuzzer("safetensors")
            expectNoFailure(try fuzzer.fuzzSafetensors())
        }
        show(result)
    }

    @Test func damagedShardIndexes() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            var fuzzer = try ModelFuzzer("index")
            expectNoFailure(try fuzzer.fuzzIndexes())
        }
        show(result)
    }

    @Test func damagedGGUF() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            var fuzzer = try ModelFuzzer("gguf")
            expectNoFailure(try fuzzer.fuzzGGUF())
        }
        show(result)
    }

    @Test func damagedConfigurations() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            var fuzzer = try ModelFuzzer("configuration")
            expectNoFailure(try fuzzer.fuzzConfigurations())
        }
        show(result)
    }

    private func show(_ result: ExitTest.Result?) {
        print(String(decoding: result?.standardOutputContent ?? [], as: UTF8.self), terminator: "")
    }

    @Test func inputsFollowFromTheSeed() throws {
        let original = try GoldenFiles("llama")
        func inputs(_ seed: UInt64) -> [[UInt8]] {
            var random = RandomBits(state: seed)
            return (0..<20).map { _ in
                var header = original.header
                random.damageJSON(&header, RandomBits.values)
                return header
            }
        }
        #expect(inputs(5) == inputs(5))
        #expect(inputs(5) != inputs(6))
    }
}

private func expectNoFailure(_ report: ModelFuzzer.Report) {
    print(report)
    fflush(nil)
    #expect(report.failures.isEmpty, "\(report.failures)")
    #expect(report.accepted > 0 && report.refused > 0, "\(report)")
}

/// The bytes of a golden model's files, JSON without white space.
private struct GoldenFiles {
    var configuration: [UInt8]
    var header: [UInt8]  // of model.safetensors
    var data: [UInt8]

    init(_ family: String) throws {
        let directory = try Golden(family).directory
        func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: directory + "/" + name))) }
        configuration = try compact(bytes("config.json"))
        let weights = try bytes("model.safetensors")
        let length = weights.withUnsafeBytes { Int(UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))) }
        header = try compact(Array(weights[8..<8 + length]))
        data = Array(weights[(8 + length)...])
    }
}

private func compact(_ text: [UInt8]) throws -> [UInt8] {
    Array(try JSONSerialization.data(withJSONObject: JSONSerialization.jsonObject(with: Data(text)), options: .sortedKeys))
}

private func safetensors(_ header: [UInt8], _ data: [UInt8]) -> [UInt8] { littleEndian(UInt64(header.count)) + header + data }

extension ModelFuzzer {
    /// Damage to model.safetensors: mostly to the JSON of its header, sometimes to the header's length and to the data.
    fileprivate mutating func fuzzSafetensors() throws -> Report {
        let originals = try Golden.families.map(GoldenFiles.init)
        let values =
            RandomBits.values + ["F64", "F32", "F16", "BF16", "I8", "BOOL", "F8_E4M3", "Q4_0"].map { "\"\($0)\"" }
            + ["[32]", "[32,32]", "[0,32]", "[4294967296,4294967296]", "[9223372036854775807,0]", "[0,0]", "[0,4]", "[4,0]", "[128,4224]"]
        return try run { fuzzer in
            let original = fuzzer.random.pick(originals)
            var header = original.header, data = original.data
            for _ in 0...fuzzer.random.below(2) {
                if fuzzer.random.once(in: 3) { fuzzer.random.damage(&data) } else { fuzzer.random.damageJSON(&header, values) }
            }
            var bytes = safetensors(header, data)
            if fuzzer.random.once(in: 16) { fuzzer.random.damage(&bytes, within: 16) }
            try fuzzer.write(original.configuration, to: "config.json")
            try fuzzer.write(bytes, to: "model.safetensors")
            return { [directory = fuzzer.directory] in
                try Self.readAll(SafetensorsFile(path: directory + "/model.safetensors"))
                try Self.compute(ModelSource(directory).loadModel())
            }
        }
    }

    /// Damage to model.safetensors.index.json beside good shards.
    fileprivate mutating func fuzzIndexes() throws -> Report {
        let copy = try ModelCopy("llama"), names = copy.tensors.keys.sorted()
        var index: [String: String] = [:]
        for shard in 0..<3 {
            let part = try ModelCopy("llama"), file = "model-0000\(shard + 1)-of-00003.safetensors"
            for (place, name) in names.enumerated() where place % 3 != shard { part.tensors[name] = nil }
            for name in part.tensors.keys { index[name] = file }
            try part.write()
            try write(Array(Data(contentsOf: URL(fileURLWithPath: part.path + "/model.safetensors"))), to: file)
        }
        try write(GoldenFiles("llama").configuration, to: "config.json")
        let original = try compact(Array(JSONEncoder().encode(["weight_map": index, "metadata": ["total_size": "0"]])))
        let values =
            RandomBits.values
            + [
                "../x", "../model-00001-of-00003.safetensors", "/etc/passwd", ".", "..", "", "config.json", "model.safetensors.index.json", "input",
                "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "a\\u0085b", "a\\u2029b", "a\\\\b",
                String(repeating: "n", count: 256),
            ].map { "\"\($0)\"" }
        return try run { fuzzer in
            var bytes = original
            for _ in 0...fuzzer.random.below(3) { fuzzer.random.damageJSON(&bytes, values) }
            try fuzzer.write(bytes, to: "model.safetensors.index.json")
            return { [directory = fuzzer.directory] in
                try Self.readAll(SafetensorsDirectory(directory: directory))
                try Self.compute(ModelSource(directory).loadModel())
            }
        }
    }

    /// Damage to the counts, metadata, descriptions, alignment and data of a .gguf file, and to the bytes of its header.
    fileprivate mutating func fuzzGGUF() throws -> Report {
        let originals = try ["gpt2", "llama", "llama3", "qwen2", "gemma2", "gemma3", "llama-blocks"].map { name in
            let url = try #require(Bundle.module.url(forResource: "Fixtures/gguf/\(name)", withExtension: "gguf"))
            var parts = GGUFParts(Array(try Data(contentsOf: url)))
            parts.addVocabulary(97)
            return parts
        }
        return try run { fuzzer in
            var parts = fuzzer.random.pick(originals)
            for _ in 0...fuzzer.random.below(3) { fuzzer.random.damage(&parts) }
            var bytes = parts.bytes
            if fuzzer.random.once(in: 4) { fuzzer.random.damage(&bytes, within: parts.header.count) }
            try fuzzer.write(bytes, to: "model.gguf")
            return { [path = fuzzer.directory + "/model.gguf"] in
                try Self.readAll(GGUFFile(path: path))
                let source = try ModelSource(path), model = try source.loadModel()
                try Self.compute(model)
                _ = try source.loadTokenizer().encode("a text", addSpecialTokens: true)
            }
        }
    }

    /// Damage to the config.json of every family beside its tensors, which change with it at times.
    fileprivate mutating func fuzzConfigurations() throws -> Report {
        let originals = try Golden.families.map { (files: try GoldenFiles($0), tensors: try ModelCopy($0).tensors) }
        let numbers = ["4", "8", "12", "16", "24", "32", "48", "64", "97", "128", "4096", "4097", "8192", "1e-6", "0.99", "10000.0", "1e30"]
        let values =
            RandomBits.values + numbers
            + [
                "silu", "gelu", "gelu_new", "gelu_pytorch_tanh", "linear", "llama3", "yarn", "default", "full_attention", "sliding_attention",
                "gpt2", "gptj", "llama", "mistral", "qwen2", "gemma2", "gemma3_text",
            ].map { "\"\($0)\"" } + [
                #"{"rope_theta":500000.0,"rope_type":"linear","factor":1e-30}"#, #"{"rope_theta":1e30,"rope_type":"default"}"#,
                #"["full_attention","sliding_attention","full_attention","sliding_attention"]"#, #"["full_attention"]"#,
            ]
        return try run { fuzzer in
            let original = fuzzer.random.pick(originals)
            var configuration = original.files.configuration, weights = safetensors(original.files.header, original.files.data)
            switch fuzzer.random.below(4) {
            case 0: weights = try fuzzer.random.resize(original.tensors, &configuration)
            case 1 where fuzzer.random.once(in: 4): configuration = fuzzer.random.pick(originals).files.configuration
            case 1:
                var header = original.files.header
                fuzzer.random.damageJSON(&header, values)
                weights = safetensors(header, original.files.data)
            default: break
            }
            for _ in 0..<fuzzer.random.below(4) { fuzzer.random.damageJSON(&configuration, values) }
            try fuzzer.write(configuration, to: "config.json")
            try fuzzer.write(weights, to: "model.safetensors")
            return { [directory = fuzzer.directory] in try Self.compute(ModelSource(directory).loadModel()) }
        }
    }
}

extension RandomBits {
    /// One size becomes another in the configuration and in all tensors: a model.safetensors that may well be a model.
    fileprivate mutating func resize(_ tensors: [String: ModelCopy.Tensor], _ configuration: inout [UInt8]) throws -> [UInt8] {
        let old = pick([8, 12, 16, 32, 48, 64, 97, 128]), new = pick([1, 2, 3, 5, 7, 8, 16, 24, 31, 33, 40, 64, 100, 300])
        let text = String(decoding: configuration, as: UTF8.self)
        configuration = Array(text.replacing(":\(old),", with: ":\(new),").utf8)
        var header: [String: Any] = [:], data: [UInt8] = []
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            let shape = tensor.shape.map { size in [1, 3, 4].first { size == $0 * old }.map { $0 * new } ?? size }
            let count = 4 * shape.reduce(1, *)
            header[name] = ["dtype": tensor.type, "shape": shape, "data_offsets": [data.count, data.count + count]] as [String: Any]
            let end = data.count + count
            while data.count < end { data += tensor.bytes.prefix(end - data.count) }
        }
        return safetensors(Array(try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)), data)
    }
}
