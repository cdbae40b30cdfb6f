import Foundation
import TensorCore
import Testing
import Transformer

/// What a file says that no model can have is refused with one line: the file, the key, what was expected and what was found.
@Suite struct WrongModelTests {
    /// A family, the keys changed in its configuration, and what the refusal says.
    struct Mistake: CustomTestStringConvertible, Sendable {
        let family: String
        let values: String  // JSON
        let fragments: [String]
        var testDescription: String { "\(family) with \(values)" }

        init(_ family: String, _ values: String, _ fragments: String...) {
            self.family = family
            self.values = values
            self.fragments = fragments
        }
    }

    @Test(arguments: sizes + constants + activations + rotaries + attention) func configurations(mistake: Mistake) throws {
        let copy = try ModelCopy(mistake.family)
        let values = try #require(try JSONSerialization.jsonObject(with: Data(mistake.values.utf8)) as? [String: Any])
        copy.configuration.merge(values) { $1 }
        try expectRefusal(of: copy, by: "config.json", mistake.fragments)
    }

    static let sizes = [
        Mistake("llama", #"{"hidden_size": "32"}"#, "'hidden_size' is '32'", "whole number"),
        Mistake("llama", #"{"hidden_size": 32.5}"#, "'hidden_size' is 32.5", "whole number"),
        Mistake("llama", #"{"hidden_size": null}"#, "'hidden_size' is missing"),
        Mistake("llama", #"{"hidden_size": -32}"#, "the hidden size is -32"),
        Mistake("llama", #"{"hidden_size": 4000000000000000000}"#, "the hidden size is 4000000000000000000"),
        Mistake("llama", #"{"intermediate_size": 0}"#, "the intermediate size is 0"),
        Mistake("llama", #"{"num_hidden_layers": 0}"#, "num_hidden_layers is 0; expected 1 to 4096"),
        Mistake("llama", #"{"num_hidden_layers": -1}"#, "num_hidden_layers is -1; expected 1 to 4096"),
        Mistake("gemma2", #"{"num_hidden_layers": 1000000000000}"#, "num_hidden_layers is 1000000000000; expected 1 to 4096"),
        Mistake("gpt2", #"{"n_layer": 4097}"#, "n_layer is 4097; expected 1 to 4096"),
        Mistake("gptj", #"{"n_layer": 1000000000}"#, "n_layer is 1000000000; expected 1 to 4096"),
        Mistake("llama", #"{"num_attention_heads": 0}"#, "num_attention_heads is 0", "at least 1"),
        Mistake("qwen2", #"{"num_attention_heads": -4}"#, "num_attention_heads is -4", "at least 1"),
        Mistake("llama", #"{"num_key_value_heads": 0}"#, "the number of key-value heads is 0"),
        Mistake("mistral", #"{"num_key_value_heads": 3}"#, "attention heads (4)", "key-value heads (3)"),
        Mistake("gpt2", #"{"n_head": 5}"#, "n_embd (32)", "n_head (5)"),
        Mistake("gpt2", #"{"n_head": 0}"#, "n_embd (32)", "n_head (0)"),
        Mistake("gpt2", #"{"n_embd": 4000000000000000000}"#, "the hidden size is 4000000000000000000"),
        Mistake("gpt2", #"{"n_embd": -32}"#, "the hidden size is -32"),
        Mistake("gptj", #"{"n_head": 3}"#, "n_embd (32)", "n_head (3)"),
        Mistake("gptj", #"{"n_embd": 4000000000000000000}"#, "the hidden size is 4000000000000000000"),
        Mistake("llama", #"{"head_dim": 0}"#, "the head size is 0"),
        Mistake("gemma2", #"{"head_dim": 16777218}"#, "the head size is 16777218"),
        Mistake("gemma3", #"{"head_dim": 4098}"#, "the head size is 4098; at most 4096"),
        Mistake("llama", #"{"hidden_size": [32]}"#, "'hidden_size' is a list; expected", "whole number"),
        Mistake("llama", #"{"hidden_size": "3\n2"}"#, #"'hidden_size' is '3\n2'"#),
        Mistake("llama", #"{"vocab_size": -1}"#, "the vocabulary size is -1"),
        Mistake("llama", #"{"max_position_embeddings": 0}"#, "the context length is 0"),
        Mistake("gpt2", #"{"n_positions": 0}"#, "the context length is 0"),
    ]

    static let constants = [
        Mistake("llama", #"{"rms_norm_eps": 0}"#, "epsilon is 0.0", "positive"),
        Mistake("llama", #"{"rms_norm_eps": true}"#, "'rms_norm_eps' is", "number"),
        Mistake("gpt2", #"{"layer_norm_epsilon": -1e-5}"#, "epsilon is -1e-05", "positive"),
        Mistake("gptj", #"{"layer_norm_epsilon": 2}"#, "epsilon is 2.0", "positive"),
        Mistake("gemma2", #"{"attn_logit_softcapping": -50}"#, "the attention soft cap is -50.0", "positive"),
        Mistake("gemma2", #"{"final_logit_softcapping": -30}"#, "the final logit soft cap is -30.0", "positive"),
        Mistake("gemma3", #"{"final_logit_softcapping": -0.5}"#, "the final logit soft cap is -0.5", "positive"),
        Mistake("gemma3", #"{"attn_logit_softcapping": 1e300}"#, "the attention soft cap is inf", "positive"),
        Mistake("gemma2", #"{"query_pre_attn_scalar": 0}"#, "multiplied by inf", "positive"),
        Mistake("gemma3", #"{"query_pre_attn_scalar": -12}"#, "multiplied by", "nan", "positive"),
    ]

    static let activations = [
        Mistake("llama", #"{"hidden_act": "ge\nlu"}"#, #"hidden_act is 'ge\nlu'"#, "'silu'"),
        Mistake("gpt2", #"{"activation_function": "a\u2028b"}"#, #"activation_function is 'a\u{2028}b'"#, "'gelu_new'"),
        Mistake("llama", #"{"hidden_act": "gelu"}"#, "hidden_act is 'gelu'", "'silu'"),
        Mistake("mistral", #"{"hidden_act": "relu"}"#, "hidden_act is 'relu'", "'silu'"),
        Mistake("qwen2", #"{"hidden_act": "gelu"}"#, "hidden_act is 'gelu'", "'silu'"),
        Mistake("gpt2", #"{"activation_function": "relu"}"#, "activation_function is 'relu'", "'gelu_new'"),
        Mistake("gptj", #"{"activation_function": "gelu"}"#, "activation_function is 'gelu'", "'gelu_new'"),
        Mistake("gemma2", #"{"hidden_activation": "gelu"}"#, "hidden_activation is 'gelu'", "'gelu_pytorch_tanh'"),
        Mistake("gemma3", #"{"hidden_activation": "silu"}"#, "hidden_activation is 'silu'", "'gelu_pytorch_tanh'"),
        Mistake("gpt2", #"{"add_cross_attention": true}"#, "'add_cross_attention' is true"),
        Mistake("gemma2", #"{"attention_bias": true}"#, "'attention_bias' is true"),
        Mistake("gemma3", #"{"use_bidirectional_attention": true}"#, "'use_bidirectional_attention' is true"),
    ]

    static let rotaries = [
        Mistake("gptj", #"{"rotary_dim": 3}"#, "turn 3 of a head's 8 elements", "even"),
        Mistake("gptj", #"{"rotary_dim": 10}"#, "turn 10 of a head's 8 elements", "even"),
        Mistake("gptj", #"{"rotary_dim": 0}"#, "turn 0 of a head's 8 elements", "even"),
        Mistake("llama", #"{"head_dim": 7}"#, "turn 7 of a head's 7 elements", "even"),
        Mistake("llama", #"{"rope_parameters": {"rope_theta": 0.5}}"#, "the rotary base is 0.5"),
        Mistake("llama", #"{"rope_parameters": [1]}"#, "'rope_parameters' should be a JSON object"),
        Mistake("llama", #"{"rope_parameters": {"rope_type": "longrope", "factor": 2}}"#, "rope_type is 'longrope'", "default, linear, llama3, yarn, dynamic"),
        Mistake("mistral", #"{"rope_parameters": {"rope_type": "linear"}}"#, "'rope_parameters.factor' is missing"),
        Mistake("qwen2", #"{"rope_parameters": {"rope_type": "linear", "factor": 0}}"#, "the rope scaling factor is 0.0"),
        Mistake(
            "llama",
            #"""
            {"rope_parameters": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1, "original_max_position_embeddings": 16}}
            """#, "llama3 rope scaling needs", "8.0, 4.0, 1.0, 16.0"),
        Mistake("gemma3", #"{"rope_parameters": {"full_attention": {"rope_theta": null}}}"#, "'rope_parameters.full_attention.rope_theta' is missing: it is null"),
        Mistake("gemma3", #"{"rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": -1}}}"#, "the rotary base is -1.0"),
    ]

    static let attention = [
        Mistake("mistral", #"{"sliding_window": -1}"#, "the sliding window is -1"),
        Mistake("gemma2", #"{"sliding_window": -5}"#, "the sliding window is -5"),
        Mistake("gemma2", #"{"layer_types": ["full_attention"]}"#, "'layer_types' names 1 layers; expected one for each of 4"),
        Mistake(
            "gemma2", #"{"layer_types": ["full_attention", "full_attention", "full_attention", "full_attention", "full_attention"]}"#,
            "'layer_types' names 5 layers; expected one for each of 4"),
        Mistake("gemma2", #"{"layer_types": "full_attention"}"#, "'layer_types' is 'full_attention'", "list of strings"),
        Mistake("gemma2", #"{"layer_types": ["a\nb", "full_attention", "full_attention", "full_attention"]}"#, #"'layer_types' names 'a\nb'"#),
        Mistake(
            "gemma3", #"{"layer_types": ["full_attention", "full_attention", "linear_attention", "full_attention"]}"#,
            "'layer_types' names 'linear_attention'", "full_attention, sliding_attention"),
        Mistake("gemma3", #"{"sliding_window_pattern": 0}"#, "sliding_window_pattern is 0"),
        Mistake("qwen2", #"{"use_sliding_window": true, "sliding_window": 4, "layer_types": ["sliding_attention"]}"#, "'layer_types' names 1 layers"),
        Mistake("qwen2", #"{"use_sliding_window": false, "layer_types": ["full_attention"]}"#, "'layer_types' names 1 layers"),
        Mistake("qwen2", #"{"use_sliding_window": true, "sliding_window": 4, "layer_types": ["a", "b", "c", "d"]}"#, "'layer_types' names 'a'"),
        Mistake("qwen2", #"{"use_sliding_window": true, "sliding_window": -4, "layer_types": null, "max_window_layers": 0}"#, "the sliding window is -4"),
    ]

    /// Tensors that the configuration implies and that the file does not have, or not so.
    @Test(arguments: [
        ("llama", #"{"attention_bias": true}"#, ["self_attn.q_proj.bias' is missing"]),
        ("llama", #"{"mlp_bias": true}"#, ["mlp.gate_proj.bias' is missing"]),
        ("llama3", #"{"tie_word_embeddings": false}"#, ["'lm_head.weight' is missing"]),
        ("llama", #"{"num_hidden_layers": 5}"#, ["'model.layers.4.input_layernorm.weight' is missing"]),
        ("llama", #"{"vocab_size": 98}"#, ["'model.embed_tokens.weight' is [97, 32]; expected [98, 32]"]),
        ("llama", #"{"intermediate_size": 64}"#, ["'model.layers.0.mlp.gate_proj.weight' is [48, 32]; expected [64, 32]"]),
        ("llama", #"{"num_key_value_heads": 4}"#, ["'model.layers.0.self_attn.k_proj.weight' is [16, 32]; expected [32, 32]"]),
        ("gemma3", #"{"head_dim": 4096}"#, ["'model.layers.0.self_attn.", "expected"]),
        ("gpt2", #"{"n_inner": 64}"#, ["'transformer.h.0.mlp.c_fc.weight' is [32, 128]; expected [32, 64]"]),
        ("gpt2", #"{"n_positions": 128}"#, ["'transformer.wpe.weight' is [64, 32]; expected [128, 32]"]),
        ("gptj", #"{"n_inner": 64}"#, ["'transformer.h.0.mlp.fc_in.weight' is [128, 32]; expected [64, 32]"]),
    ])
    func tensorsThatDoNotFit(family: String, values: String, fragments: [String]) throws {
        let copy = try ModelCopy(family)
        let values = try #require(try JSONSerialization.jsonObject(with: Data(values.utf8)) as? [String: Any])
        copy.configuration.merge(values) { $1 }
        try expectRefusal(of: copy, by: copy.path, fragments)
    }

    /// Every tensor of every family is needed, and needed in its shape.
    @Test(arguments: Golden.families) func everyTensorIsNeeded(family: String) throws {
        let copy = try ModelCopy(family)
        for (name, tensor) in copy.tensors {
            copy.tensors[name] = nil
            try expectRefusal(of: copy, by: copy.path, family == "gpt2" && name == "transformer.wte.weight" ? ["is missing"] : ["'\(name)' is missing"])
            copy.tensors[name] = ModelCopy.Tensor(type: tensor.type, shape: [tensor.shape.reduce(1, *), 1], bytes: tensor.bytes)
            try expectRefusal(of: copy, by: copy.path, ["'\(name)' is [", "expected \(tensor.shape)"])
            copy.tensors[name] = tensor
        }
    }

    @Test func filesThatAreNoConfiguration() throws {
        let copy = try ModelCopy("llama")
        try copy.write()
        for (text, fragment) in [
            ("", "the file is empty"), ("{", "line 1 column 2: is not JSON: expected a key in quotes, found the end"), ("[1]", "expected an object, found an array"),
            ("{}", "'model_type' is missing"), (#"{"model_type": 3}"#, "string"),
            (#"{"model_type": "llama", "model_type": "gpt2"}"#, "the key 'model_type' appears twice"),
            (#"{"rope": {"a": 1, "a": 1}}"#, "the key 'a' appears twice"), (#"{"vocab_size": NaN}"#, "expected a value, found 'NaN}'"),
            (String(repeating: #"{"a":"#, count: 100_000), "nested deeper than 64 levels"),
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: copy.path + "/config.json"))
            try expectRefusal(by: copy.path + "/config.json", [fragment]) { try ModelSource(copy.path).loadModel() }
        }
        let error = try #require(throws: UnsupportedFamily.self) {
            copy.configuration["model_type"] = "mamba"
            _ = try copy.loadModel()
        }
        let other = try #require(throws: UnsupportedFamily.self) {
            copy.configuration["model_type"] = "mam\nba"
            _ = try copy.loadModel()
        }
        #expect("\(other)".contains(#"'mam\nba'"#) && !"\(other)".contains { $0.isNewline })
        #expect("\(error)".contains("model_type is 'mamba'") && "\(error)".contains("gemma3_text, gpt2, gptj, llama"))
    }

    private func expectRefusal(of copy: ModelCopy, by file: String, _ fragments: [String]) throws {
        try expectRefusal(by: file, fragments) { try copy.loadModel() }
    }

    private func expectRefusal(by file: String, _ fragments: [String], _ body: () throws -> LanguageModel) throws {
        let text = "\(try #require(throws: BadInput.self) { _ = try body() })"
        #expect(text.contains(file) && !text.contains { $0.isNewline }, "\(text)")
        for fragment in fragments { #expect(text.contains(fragment), "\(text)") }
    }
}
