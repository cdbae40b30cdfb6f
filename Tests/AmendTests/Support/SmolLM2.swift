import Foundation
import TestSupport

/// The real model, where Scripts/fetch-model.sh puts it.
enum SmolLM2 {
    static func file() throws -> URL { try fetchedModel("smollm2-135m", "SmolLM2-135M-Instruct.Q4_1.gguf") }
}
