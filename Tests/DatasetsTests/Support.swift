import Datasets
import Foundation
import TensorCore

/// Loads a file with these bytes.
func load(_ bytes: some Collection<UInt8>, _ format: DatasetFormat?) throws -> [EditRecord] {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("datasets-\(UUID().uuidString).json")
    try Data(bytes).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    return try DatasetFile.load(file.path, format: format)
}

func load(_ text: String, _ format: DatasetFormat?) throws -> [EditRecord] { try load(text.utf8, format) }

/// What loading a file with these bytes says.
func failure(_ bytes: some Collection<UInt8>, _ format: DatasetFormat?) -> String {
    do {
        return "loaded \(try load(bytes, format).count) records"
    } catch {
        return error is BadInput ? "\(error)" : "not BadInput: \(error)"
    }
}

extension EditRecord {
    /// Prompts in other words.
    var rephrasings: [String] { probes.filter { $0.kind == .generalization }.map(\.prompt) }
    /// Unrelated prompts and their own answers.
    var neighbors: [Question] { probes.filter { $0.kind == .specificity }.map { Question(prompt: $0.prompt, answer: $0.answer) } }
}
