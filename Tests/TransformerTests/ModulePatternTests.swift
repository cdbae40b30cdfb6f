import Testing
import Transformer

@Suite struct ModulePatternTests {
    private func names(_ patterns: [String]) throws -> [String] { try Golden("llama").loadModel(editing: patterns).edited.map(\.name) }

    private func problem(_ patterns: [String]) throws -> String {
        "\(try #require(throws: ModulePatternError.self) { try names(patterns) })"
    }

    @Test func rangesExpandInOrder() throws {
        #expect(
            try names(["model.layers.2-3.mlp.up_proj", "model.layers.0.mlp.down_proj"]) == [
                "model.layers.2.mlp.up_proj", "model.layers.3.mlp.up_proj", "model.layers.0.mlp.down_proj",
            ])
        #expect(try names(["model.layers.0-3:2.mlp.gate_proj"]) == ["model.layers.0.mlp.gate_proj", "model.layers.2.mlp.gate_proj"])
        #expect(try names(["model.layers.1-3:9223372036854775807.mlp.gate_proj"]) == ["model.layers.1.mlp.gate_proj"])
        #expect(try names([]).isEmpty)
    }

    @Test func theTextPartOfAMultimodalReleaseMayBeNamed() throws {
        let names = try names(["model.language_model.layers.1.mlp.up_proj", "language_model.model.layers.2.mlp.up_proj"])
        #expect(names == ["model.layers.1.mlp.up_proj", "model.layers.2.mlp.up_proj"])
        #expect(try problem(["model.layers.1.mlp.up_proj", "model.language_model.layers.1.mlp.up_proj"]).contains("'model.layers.1.mlp.up_proj' is named twice"))
    }

    @Test func whatDoesNotExistIsNamed() throws {
        let text = try problem(["model.layers.3-4.mlp.up_proj"])
        #expect(text.contains("'model.layers.4.mlp.up_proj'") && text.contains("model.layers.0-3.mlp.up_proj"))
        #expect(try problem(["model.layers.0.self_attn.q_proj"]).contains("q_proj"))
        #expect(try problem([""]).contains("does not have"))
    }

    @Test func modulesAreNamedOnce() throws {
        #expect(try problem(["model.layers.0-2.mlp.up_proj", "model.layers.2.mlp.up_proj"]).contains("'model.layers.2.mlp.up_proj' is named twice"))
    }

    @Test(arguments: ["3-1", "0-3:0", "0-3:x", "0-99999999999", "1-3:-1"]) func wrongRangesAreRefused(range: String) throws {
        #expect(try problem(["model.layers.\(range).mlp.up_proj"]).contains("is not a range"))
    }

    /// A pattern stands for as many names as the product of its ranges: these are not all written down.
    @Test func hugePatternsAreRefused() throws {
        #expect(try problem(["0-99999.0-99999.0-99999"]).contains("more than 100000 names"))
    }
}
