import Documents
import Foundation
import TensorCore
import Tokenization
import WeightFiles

/// A model on disk: a .gguf file, a directory that holds exactly one, or a Hugging Face directory with config.json.
package struct ModelSource: Sendable {
    enum Kind: Sendable {
        case gguf(GGUFFile)
        case huggingFace(directory: String)
    }

    package let path: String
    let kind: Kind

    package init(_ path: String) throws {
        self.path = path
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw BadInput(path, "there is no such model; expected a .gguf file or a directory with one, or one with config.json and model.safetensors")
        }
        if !isDirectory.boolValue {
            kind = .gguf(try GGUFFile(path: path))
        } else if FileManager.default.fileExists(atPath: path + "/config.json") {
            guard !FileManager.default.fileExists(atPath: path + "/adapter_config.json") else {
                throw BadInput(path, "holds 'adapter_config.json': weights that an adapter changes; merge it into them first (merge_and_unload of peft)")
            }
            kind = .huggingFace(directory: path)
        } else {
            let files = try Self.list(path).filter { $0.hasSuffix(".gguf") }.sorted()
            guard files.count == 1 else {
                throw BadInput(
                    path,
                    files.isEmpty
                        ? "holds neither config.json nor a .gguf file" + SafetensorsDirectory.advice(on: path)
                        : "holds \(files.count) .gguf files; name one of them: \(files.joined(separator: ", "))")
            }
            kind = .gguf(try GGUFFile(path: path + "/" + files[0]))
        }
    }

    private static func list(_ directory: String) throws -> [String] {
        do { return try FileManager.default.contentsOfDirectory(atPath: directory) } catch {
            throw BadInput(directory, "cannot be listed: \(error.localizedDescription)")
        }
    }

    /// Reads the configuration and opens the weights.
    package func loadModel(weights precision: WeightPrecision = .auto) throws -> LanguageModel {
        switch kind {
        case .gguf(let file):
            let architecture = try file.required("general.architecture", file.string)
            guard let family = ModelFamilies.byArchitecture[architecture] else {
                throw UnsupportedFamily(path: file.path, key: "general.architecture", found: architecture, supported: ModelFamilies.byArchitecture.keys.sorted())
            }
            return try family.load(file, precision)
        case .huggingFace(let directory):
            let configuration = try ConfigurationFile(path: directory + "/config.json")
            let type: String = try configuration.required("model_type")
            guard let family = ModelFamilies.byModelType[type] else {
                throw UnsupportedFamily(path: configuration.path, key: "model_type", found: type, supported: ModelFamilies.byModelType.keys.sorted())
            }
            return try family.load(configuration, SafetensorsDirectory(directory: directory), precision)
        }
    }
}

/// A model of a family that cannot be computed.
package struct UnsupportedFamily: Error, CustomStringConvertible, Sendable {
    let path: String
    let key: String
    let found: String
    let supported: [String]

    package var description: String { "\(path): \(key) is \(quoted(found)); supported: \(supported.joined(separator: ", "))" }
}
