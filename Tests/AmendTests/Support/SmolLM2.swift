import Foundation
import TestSupport
import Testing

/// The real model, where Scripts/fetch-model.sh puts it.
enum SmolLM2 {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The model's file; a test that needs it fails without it.
    static func file() throws -> URL {
        let file = root.appendingPathComponent("models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf")
        try #require(
            FileManager.default.fileExists(atPath: file.path), "no model at \(file.path); 'Scripts/fetch-model.sh smollm2-135m' puts it there")
        return file
    }
}
