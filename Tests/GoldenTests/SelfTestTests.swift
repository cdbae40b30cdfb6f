import SelfTest
import Testing

/// The oracle's cases through `SelfTest`, as `amend selftest` runs them; and that these cases can fail.
@Suite struct SelfTestTests {
    @Test(arguments: GoldenDirectory.models.map { ("models", $0) } + GoldenDirectory.tokenizers.map { ("tokenizers", $0) })
    func agreesWithTheReference(kind: String, name: String) throws {
        let goldens = try GoldenDirectory()
        try goldens.add(kind, name)
        try expectPass(goldens, "\(kind)/\(name)")
    }

    @Test(arguments: GoldenDirectory.editors) func editsAsTheOracleDoes(name: String) throws {
        let goldens = try GoldenDirectory()
        try goldens.add("models", String(name.prefix { $0 != "-" }))
        try goldens.add("editors", name)
        try expectPass(goldens, "editors/\(name)")
    }

    @Test(arguments: GoldenDirectory.loops) func loopsEditAsTheOracleDoes(name: String) throws {
        let goldens = try GoldenDirectory()
        try goldens.add("models", String(name.prefix { $0 != "-" }))
        try goldens.add("loops", name)
        try expectPass(goldens, "loops/\(name)")
    }

    private func expectPass(_ goldens: GoldenDirectory, _ name: String) throws {
        let result = try #require(try goldens.results()[name])
        #expect(result.passed, "\(name): \(result.outcome)")
    }

    // MARK: Cases that must not pass

    @Test func namesWhatIsNotBuilt() throws {
        let goldens = try GoldenDirectory()
        for name in ["llama", "unheard-of"] {
            try goldens.add("models", "llama", as: name)
            try goldens.add("editors", "llama-emsedit-batch-2", as: name)
        }
        try goldens.replace("\"model_type\": \"llama\"", with: "\"model_type\": \"unheard-of\"", in: "models/unheard-of/config.json")
        try goldens.replace("\"method\": \"emsedit_batch\"", with: "\"method\": \"unheard-of\"", in: "editors/unheard-of/case.json")
        try goldens.replace("\"family\": \"llama\"", with: "\"family\": \"unheard-of\"", in: "editors/llama/case.json")
        let results = try goldens.results()
        #expect(results["models/llama"]?.passed == true)
        for name in ["models/unheard-of", "editors/unheard-of", "editors/llama"] {
            let result = try #require(results[name])
            #expect(!result.isSupported && !result.passed, "\(name): \(result.outcome)")
            #expect("\(result.outcome)".contains("unheard-of"), "\(name): \(result.outcome)")
        }
    }

    /// One number that is off; the reported quantity is the one it is in.
    @Test(arguments: [
        ("logits", 13 * 97, Float(0.01)),  // the last token of the longest sequence: an answer token
        ("loss", 0, 0.001), ("model.layers.1.mlp.gate_proj.keys", 5, 0.01), ("model.layers.3.mlp.down_proj.grads", 7, 0.001),
    ])
    func noticesAnotherNumberInAModelCase(tensor: String, element: Int, amount: Float) throws {
        let goldens = try GoldenDirectory()
        try goldens.add("models", "llama")
        try goldens.add(amount, toElement: element, of: tensor, in: "models/llama/golden.safetensors")
        try expectFailure(goldens, "models/llama", naming: tensor)
    }

    @Test func noticesAnotherWeight() throws {
        let goldens = try GoldenDirectory()
        try goldens.add("models", "llama")
        try goldens.add(0.1, toElement: 40, of: "model.layers.0.self_attn.q_proj.weight", in: "models/llama/model.safetensors")
        try expectFailure(goldens, "models/llama", naming: "")
    }

    @Test(arguments: [
        ("first.model.layers.2.mlp.up_proj.grads", 20, Float(0.01)), ("first.model.layers.1.mlp.gate_proj.shift", 3, 0.01),
        ("gradient.step1.48x32.log_lambda", 1, 1), ("final.step0.32x48.blocks.1.B", 9, 1),
        ("edited.model.layers.3.mlp.down_proj.delta", 11, 1),
    ])
    func noticesAnotherNumberInAnEditorCase(tensor: String, element: Int, amount: Float) throws {
        let name = "llama-emsedit-sequential-2", goldens = try GoldenDirectory()
        try goldens.add("models", "llama")
        try goldens.add("editors", name)
        try goldens.add(amount, toElement: element, of: tensor, in: "editors/\(name)/tensors.safetensors")
        try expectFailure(goldens, "editors/\(name)", naming: tensor)
    }

    /// One setting of a loop at a time.
    @Test(arguments: [
        ("gpt2-locft-bf", "epochs", "12", "11"), ("gpt2-locft-bf", "learning_rate", "0.003", "0.0031"), ("gpt2-locft-bf", "regularization", "0.5", "0.4"),
        ("llama-locft-bf", "stop_loss", "3.35", "3"), ("llama-crispedit", "curvature_share", "0.6", "0.5"),
        ("gpt2-memit", "value_steps", "6", "5"), ("llama-memit", "value_rate", "0.1", "0.11"), ("llama-memit", "value_decay", "0.5", "0.4"),
        ("gpt2-memit", "value_bound", "0.2", "0.21"),
        ("llama-memit", "stop_loss", "0.05", "4.5"), ("llama-memit", "essence_weight", "0.25", "0"), ("gemma3-memit", "ridge", "0.5", "0.6"),
        ("gemma3-memit", "background_weight", "5.0", "4"),
        ("llama-alphaedit", "background_share", "0.5", "0.4"), ("llama-alphaedit", "earlier_weight", "0.5", "0.4"),
    ])
    func noticesAnotherSettingOfALoop(name: String, key: String, value: String, other: String) throws {
        let goldens = try GoldenDirectory()
        try goldens.add("models", String(name.prefix { $0 != "-" }))
        try goldens.add("loops", name)
        try goldens.replace("\"\(key)\": \"\(value)\"", with: "\"\(key)\": \"\(other)\"", in: "loops/\(name)/case.json")
        try expectFailure(goldens, "loops/\(name)", naming: "edited")
    }

    @Test func noticesAnotherLoss() throws {
        let name = "llama-emsedit-sequential-2", goldens = try GoldenDirectory()
        try goldens.add("models", "llama")
        try goldens.add("editors", name)
        try goldens.replace("\"gen_loss\": 9.38", with: "\"gen_loss\": 9.48", in: "editors/\(name)/case.json")
        try expectFailure(goldens, "editors/\(name)", naming: "loss 1")
    }

    @Test func noticesAnotherToken() throws {
        let goldens = try GoldenDirectory()
        try goldens.add("tokenizers", "smollm2")
        try goldens.replace("\"ids\": [", with: "\"ids\": [9, ", in: "tokenizers/smollm2/cases.json")
        try expectFailure(goldens, "tokenizers/smollm2", naming: "ids of")
    }

    private func expectFailure(_ goldens: GoldenDirectory, _ name: String, naming quantity: String) throws {
        let result = try #require(try goldens.results()[name])
        #expect(result.isSupported && !result.passed, "\(name): \(result.outcome)")
        guard case .compared(let worst, _, _) = result.outcome else {
            Issue.record("\(name) should have been compared: \(result.outcome)")
            return
        }
        #expect(worst.hasPrefix(quantity), "\(name): \(result.outcome)")
    }
}
