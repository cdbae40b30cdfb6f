import TensorCore
import TestSupport
import Testing
import Transformer

/// The forms in which files of a family come.
@Suite struct FamilyTests {
    private let pack = PackedSequences(microBatches: [randomSequences(4)])

    /// The first releases of GPT-2 were saved without the name of the part that they are.
    @Test func gpt2WithoutPrefix() throws {
        let copy = try ModelCopy("gpt2")
        for (name, tensor) in copy.tensors {
            copy.tensors[name] = nil
            copy.tensors[String(name.trimmingPrefix("transformer."))] = tensor
        }
        copy.tensors["h.0.attn.bias"] = ModelCopy.Tensor(type: "F32", shape: [1, 1], bytes: [0, 0, 0, 0])  // a mask: they hold these too
        let model = try copy.loadModel(), expected = try Golden("gpt2").loadModel()
        #expect(model.editableModules.map(\.name) == expected.editableModules.map(\.name))
        expectSame(model.logits(of: pack), expected.logits(of: pack), "without prefix")
    }

    @Test(arguments: Golden.families) func modulesHaveHuggingFacesNames(family: String) throws {
        let model = try Golden(family).loadModel()
        #expect(model.editableModules.map(\.name) == (0..<4).flatMap { Golden.feedForward(family, "\($0)") })
        #expect(model.editableModules.allSatisfy { $0.isStoredTransposed == (family == "gpt2") })
        #expect(model.configuration.family == ["llama3": "llama", "gemma3": "gemma3_text"][family] ?? family)
    }

    /// What Transformers 4 wrote where version 5 writes rope_parameters and layer_types.
    @Test(arguments: ["llama", "llama3", "mistral", "qwen2", "gemma2"]) func configurationsOfTransformers4(family: String) throws {
        let copy = try ModelCopy(family)
        var rope = try #require(copy.configuration.removeValue(forKey: "rope_parameters") as? [String: Any])
        copy.configuration["rope_theta"] = rope.removeValue(forKey: "rope_theta")
        if rope["rope_type"] as? String == "llama3" { copy.configuration["rope_scaling"] = rope }
        copy.configuration["layer_types"] = nil  // Gemma 2's alternate by themselves
        #expect(try copy.loadModel().configuration == Golden(family).loadModel().configuration)
    }

    @Test func gemma3OfTransformers4() throws {
        let copy = try ModelCopy("gemma3"), expected = try copy.loadModel().configuration
        copy.configuration["rope_parameters"] = nil
        copy.configuration["rope_theta"] = 1_000_000
        copy.configuration["rope_local_base_freq"] = 10_000
        #expect(try copy.loadModel().configuration == expected)
        copy.configuration["layer_types"] = nil
        copy.configuration["sliding_window_pattern"] = 3
        #expect(try copy.loadModel().configuration == expected)
        copy.configuration["sliding_window_pattern"] = 2
        #expect(try copy.loadModel().configuration.attention.map(\.window) == [5, 0, 5, 0])
    }

    @Test func qwen2WithSlidingWindows() throws {
        let copy = try ModelCopy("qwen2")
        copy.configuration["use_sliding_window"] = true
        copy.configuration["sliding_window"] = 3
        #expect(try copy.loadModel().configuration.attention.map(\.window) == [0, 0, 0, 0])
        copy.configuration["layer_types"] = nil
        copy.configuration["max_window_layers"] = 2
        #expect(try copy.loadModel().configuration.attention.map(\.window) == [0, 0, 3, 3])
        copy.configuration["use_sliding_window"] = false
        #expect(try copy.loadModel().configuration.attention.map(\.window) == [0, 0, 0, 0])
    }
}
