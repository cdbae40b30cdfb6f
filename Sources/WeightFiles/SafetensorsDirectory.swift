import Documents
import Foundation
import TensorCore

/// A model directory in Hugging Face's layout: `model.safetensors`, or, where that is absent,
/// `model.safetensors.index.json` and the files (shards) that it names beside it.
package struct SafetensorsDirectory: WeightSource {
    /// The directory.
    package let path: String
    private let table: TensorTable

    package var tensorNames: [String] { table.names }
    package func tensor(_ name: String) -> StoredTensor? { table[name] }

    /// Throws `BadInput` where neither file exists, the index is malformed, or a shard is missing, malformed, outside the
    /// directory, without a tensor that the index says it has, or with one of another shard. Tensors that the index does not name count too.
    package init(directory: String) throws {
        path = directory
        let single = directory + "/model.safetensors"
        let index = directory + "/model.safetensors.index.json"
        if FileManager.default.fileExists(atPath: single) {
            let file = try SafetensorsFile(path: single)
            table = try Self.table(of: file.tensorNames.map { ($0, file) })
        } else if FileManager.default.fileExists(atPath: index) {
            table = try Self.table(of: Self.placements(index: index, directory: directory))
        } else {
            guard FileManager.default.fileExists(atPath: directory) else { throw BadInput(directory, "there is no such directory") }
            throw BadInput(directory, "holds neither model.safetensors nor model.safetensors.index.json" + Self.advice(on: directory))
        }
    }

    /// How to convert weights of another format that are there; "" where there are none.
    package static func advice(on directory: String) -> String {
        let files = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
        if let file = files.first(where: { $0.hasPrefix("consolidated") || $0 == "params.json" }) {
            return "; \(quoted(file)) is of the layout in which the makers' own code reads the model: take the release for transformers, or convert it "
                + "with the script 'convert_llama_weights_to_hf.py' or 'convert_mistral_weights_to_hf.py' of transformers"
        }
        let endings = [".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"]
        guard let file = files.first(where: { file in endings.contains { file.hasSuffix($0) } }) else { return "" }
        return "; \(quoted(file)) is of another format. To convert it: python -c \"from transformers import AutoModelForCausalLM as M; "
            + "M.from_pretrained('\(directory)', dtype='auto').save_pretrained('\(directory)')\""
    }

    private static func table(of placements: [(name: String, shard: SafetensorsFile)]) throws -> TensorTable {
        var table = TensorTable()
        for (name, shard) in placements { try table.add(try shard.require(name)) }
        return table
    }

    /// Every tensor's shard, sorted by name; each shard is opened once.
    private static func placements(index: String, directory: String) throws -> [(name: String, shard: SafetensorsFile)] {
        let shardNames = try weightMap(index: index)
        var shards: [String: SafetensorsFile] = [:]
        for shardName in Set(shardNames.values).sorted() {
            shards[shardName] = try SafetensorsFile(path: directory + "/" + shardName)
        }
        let named = shardNames.compactMap { name, shardName in shards[shardName].map { (name, $0) } }
        let others = shards.flatMap { shardName, shard in
            shard.tensorNames.filter { shardNames[$0] != shardName }.map { ($0, shard) }
        }
        return (named + others).sorted { ($0.0, $0.1.path) < ($1.0, $1.1.path) }
    }

    /// The index's `weight_map`: tensor name → name of its shard, checked to be a plain file name.
    private static func weightMap(index: String) throws -> [String: String] {
        let file = try MappedFile.open(index)
        guard file.bytes.count <= largestIndex else {
            throw BadInput(index, "has \(file.bytes.count) bytes; at most \(largestIndex) are allowed")
        }
        var map: [String: String]?
        try JSONParser.readObject(in: file.bytes, path: index, subject: "index") { parser, key in
            guard key == "weight_map" else { return try parser.skipValue() }
            var found: [String: String] = [:]
            try parser.object { parser, name in
                let shard = try parser.string()
                guard isPlainFileName(shard) else {
                    throw BadInput(
                        index,
                        "weight_map puts \(quoted(name)) into \(quoted(shard)); expected a file name in the same directory")
                }
                found[name] = shard
            }
            map = found
        }
        guard let map, !map.isEmpty else { throw BadInput(index, "has no weight_map, or an empty one") }
        return map
    }

    private static let largestIndex = 100_000_000

    private static func isPlainFileName(_ name: String) -> Bool {
        let isFit = name.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: false
            default: scalar != "/"
            }
        }
        return isFit && name != "." && name != ".." && (1...255).contains(name.utf8.count)
    }
}
