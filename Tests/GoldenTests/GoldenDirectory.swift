import Foundation
import SelfTest
import TestSupport

/// Golden cases in a temporary directory of their own, laid out as `SelfTest.run` reads them; removed with this object.
///
/// Only the editors' and loops' cases are fixtures of this target. Models and tokenizers are those that their own targets test with.
final class GoldenDirectory {
    static let models = ["gpt2", "gptj", "llama", "llama3", "mistral", "qwen2", "gemma2", "gemma3"]
    static let editors = [
        "llama-emsedit-batch-2", "llama-emsedit-sequential-2", "llama-emsedit-sequential-3", "gpt2-emsedit-batch-2", "gpt2-emsedit-sequential-2",
        "gptj-emsedit-sequential-2", "gemma2-emsedit-sequential-2",
        "llama-rledit-1", "llama-rledit-2", "qwen2-rledit-2",
        "llama-mend-1", "gpt2-mend-2",
        "llama-malmen-1", "llama-malmen-2", "gemma2-malmen-1",
        "llama-ultraedit-1", "llama-ultraedit-2", "gpt2-ultraedit-2",
    ]
    /// Editors that are loops of their own over the edits.
    static let loops = ["llama-locft-bf", "gpt2-locft-bf", "llama-crispedit", "gemma3-crispedit", "llama-memit", "gpt2-memit", "gemma3-memit", "llama-alphaedit"]
    static let tokenizers = ["gemma", "gpt2", "llama3", "mistral", "qwen2", "smollm2"]

    private let directory: TemporaryDirectory
    var url: URL { directory.url }
    var path: String { directory.path }

    init() throws { directory = try TemporaryDirectory() }

    /// Copies a case; `kind` is models, editors, loops or tokenizers. An editor or a loop needs its model too.
    func add(_ kind: String, _ name: String, as copy: String? = nil) throws {
        let folder = url.appendingPathComponent(kind)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let source = try Self.fixtures(kind).appendingPathComponent(name)
        try FileManager.default.copyItem(at: source, to: folder.appendingPathComponent(copy ?? name))
    }

    /// The results of all cases by name ("models/llama").
    func results() throws -> [String: CaseResult] {
        Dictionary(uniqueKeysWithValues: try SelfTest.run(directory: path).map { ($0.name, $0) })
    }

    /// Replaces the first `old` in a text file by `new`; throws if there is none.
    func replace(_ old: String, with new: String, in file: String) throws {
        let file = url.appendingPathComponent(file), text = try String(contentsOf: file, encoding: .utf8)
        guard text.contains(old) else { throw FixtureProblem(description: "\(file.path) has no '\(old)'") }
        try text.replacing(old, with: new, maxReplacements: 1).write(to: file, atomically: true, encoding: .utf8)
    }

    /// Adds `amount` to one element of a float32 tensor of a safetensors file.
    func add(_ amount: Float, toElement element: Int, of tensor: String, in file: String) throws {
        let file = url.appendingPathComponent(file)
        var bytes = [UInt8](try Data(contentsOf: file))
        let headerEnd = 8 + bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONSerialization.jsonObject(with: Data(bytes[8..<headerEnd])) as? [String: Any]
        guard let entry = header?[tensor] as? [String: Any], entry["dtype"] as? String == "F32",
            let range = entry["data_offsets"] as? [Int], range.count == 2, (0..<range[1] - range[0]).contains(4 * element)
        else { throw FixtureProblem(description: "\(file.path) has no float32 element \(element) of '\(tensor)'") }
        let place = headerEnd + range[0] + 4 * element
        bytes.withUnsafeMutableBytes { raw in
            let old = raw.loadUnaligned(fromByteOffset: place, as: Float.self)
            raw.storeBytes(of: old + amount, toByteOffset: place, as: Float.self)
        }
        try Data(bytes).write(to: file)
    }

    private static func fixtures(_ kind: String) throws -> URL {
        let tests = packageRoot.appendingPathComponent("Tests")
        switch kind {
        case "models": return tests.appendingPathComponent("TransformerTests/Fixtures")
        case "tokenizers": return tests.appendingPathComponent("TokenizationTests/Fixtures")
        default: return try fixture(kind)
        }
    }
}

struct FixtureProblem: Error, CustomStringConvertible {
    let description: String
}

/// A file or folder among this target's fixtures.
func fixture(_ name: String) throws -> URL {
    guard let url = Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil) else {
        throw FixtureProblem(description: "there is no fixture '\(name)'")
    }
    return url
}
