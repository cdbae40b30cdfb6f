import Foundation
import TensorCore

/// The sizes, constants and arrangement of a decoder-only transformer, whatever file they came from. The defaults are those of Llama.
package struct DecoderConfiguration: Sendable, Equatable {
    package var family: String  // Hugging Face's model_type
    package var hiddenSize: Int
    package var intermediateSize: Int
    package var layerCount: Int
    package var headCount: Int
    package var keyValueHeadCount: Int
    package var headSize: Int
    package var vocabularySize: Int
    package var contextLength: Int
    package var hasTiedHead: Bool

    package var normKind = NormKind.rms
    package var normEpsilon: Float
    package var activation = Activation.silu
    /// Whether the feed-forward part is down(f(gate x) ∘ up x); else it is down(f(up x)).
    package var isGated = true
    /// Whether attention and feed-forward part read the same norm of the layer's input and are added together (GPT-J).
    package var isParallel = false
    /// Whether what each part of a layer adds is normed first (Gemma 2 and 3).
    package var hasOutputNorms = false
    /// Whether each head's query and key are normed (Gemma 3).
    package var hasHeadNorms = false
    package var biases: Set<Bias> = []
    /// Whether a vector for each position is added to the embedding (GPT-2).
    package var hasLearnedPositions = false
    package var embeddingScale: Float = 1
    /// 0: none. Otherwise attention scores or logits s become cap · tanh(s / cap).
    package var attentionSoftCap: Float = 0
    package var logitSoftCap: Float = 0

    /// The rotary embeddings that layers choose from; empty where there are none.
    package var rotaries: [RotaryConfiguration]
    /// For each layer.
    package var attention: [Attention]

    package enum NormKind: Sendable { case rms, layer }
    package enum Activation: Sendable { case silu, geluTanh }
    package enum Bias: Sendable { case queryKeyValue, attentionOutput, feedForward, head }

    package struct Attention: Sendable, Equatable {
        /// What ⟨query, key⟩ is multiplied by.
        package var scale: Float
        /// Tokens that are seen, the asking one included; 0: all before it.
        package var window = 0
        /// Which of `rotaries`.
        package var rotary = 0
    }

    package var querySize: Int { headCount * headSize }
    package var keyValueSize: Int { keyValueHeadCount * headSize }

    /// " (num_attention_heads, n_head, attention.head_count)": what files call a size.
    private static func keys(of size: String) -> String {
        let names: [String: String] = [
            "hidden size": "hidden_size, n_embd, embedding_length", "intermediate size": "intermediate_size, n_inner, feed_forward_length",
            "number of layers": "num_hidden_layers, n_layer, block_count", "number of attention heads": "num_attention_heads, n_head, attention.head_count",
            "number of key-value heads": "num_key_value_heads, attention.head_count_kv", "head size": "head_dim, attention.key_length",
            "vocabulary size": "vocab_size", "context length": "max_position_embeddings, n_positions, context_length",
        ]
        return names[size].map { " (\($0))" } ?? ""
    }

    /// Refuses what the engine could not compute with; `location` names the file.
    func validate(_ location: String) throws {
        let sizes = [
            ("hidden size", hiddenSize), ("intermediate size", intermediateSize), ("number of layers", layerCount),
            ("number of attention heads", headCount), ("number of key-value heads", keyValueHeadCount), ("head size", headSize),
            ("vocabulary size", vocabularySize), ("context length", contextLength),
        ]
        for (name, value) in sizes where value < 1 || value > 1 << 24 {
            throw BadInput(location, "the \(name) is \(value); expected 1 to \(1 << 24)\(Self.keys(of: name))")
        }
        guard layerCount <= 4096 else { throw BadInput(location, "the number of layers is \(layerCount); at most 4096 are supported") }
        guard headSize <= 4096 else {  // a rotary's tables have this many numbers for each of thousands of positions
            throw BadInput(location, "the head size is \(headSize); at most 4096 are supported")
        }
        guard headCount % keyValueHeadCount == 0 else {
            throw BadInput(
                location,
                "the number of attention heads (\(headCount)) is not a multiple of that of key-value heads (\(keyValueHeadCount))"
                    + Self.keys(of: "number of key-value heads"))
        }
        guard normEpsilon > 0, normEpsilon < 1 else {
            throw BadInput(location, "the norms' epsilon is \(normEpsilon); expected a small positive number (rms_norm_eps, layer_norm_epsilon)")
        }
        for (name, cap) in [("attention", attentionSoftCap), ("final logit", logitSoftCap)] where !(cap >= 0 && cap.isFinite) {
            throw BadInput(location, "the \(name) soft cap is \(cap); expected a positive number (attn_logit_softcapping, final_logit_softcapping)")
        }
        for layer in attention {
            guard layer.scale.isFinite, layer.scale > 0 else {
                throw BadInput(location, "attention scores are multiplied by \(layer.scale); expected a positive number (query_pre_attn_scalar)")
            }
            guard layer.window >= 0 else { throw BadInput(location, "the sliding window is \(layer.window); expected a positive number of tokens (sliding_window)") }
        }
        for rotary in rotaries { try rotary.validate(location, headSize: headSize) }
    }
}

/// Rotary position embeddings (Su et al., arXiv 2104.09864), and how their frequencies are scaled for longer texts.
package struct RotaryConfiguration: Sendable, Equatable {
    package enum Scaling: Sendable, Equatable {
        case none
        case linear(factor: Float)
        case llama3(factor: Float, lowFrequency: Float, highFrequency: Float, originalContext: Float)
        /// A divisor for each frequency, as GGUF files store them (rope_freqs.weight).
        case divisors([Float])
        /// YaRN (Peng et al., arXiv 2309.00071): frequencies that turn fewer than `slow` times in the original context are divided by `factor`, those
        /// that turn more than `fast` times are kept, those between are interpolated, from and to whole dimensions if `isTruncated`.
        case yarn(factor: Float, originalContext: Float, fast: Float, slow: Float, isTruncated: Bool)
    }

    package var base: Float
    package var scaling = Scaling.none
    /// Leading elements of a head that are turned.
    package var dimensions: Int
    /// Whether neighbouring elements form pairs (GPT-J), instead of element i with i + dimensions / 2.
    package var turnsNeighbors = false
    /// What cosines and sines are multiplied by (YaRN).
    package var attentionFactor: Float = 1

    /// What YaRN recommends: 0.1 ln factor + 1.
    static func yarnAttentionFactor(_ factor: Float) -> Float { factor <= 1 ? 1 : Float(0.1 * log(Double(factor)) + 1) }

    func validate(_ location: String, headSize: Int) throws {
        guard base.isFinite, base > 1 else { throw BadInput(location, "the rotary base is \(base); expected a number above 1 (rope_theta, rope.freq_base)") }
        guard dimensions > 0, dimensions <= headSize, dimensions % 2 == 0 else {
            throw BadInput(location, "rotary embeddings turn \(dimensions) of a head's \(headSize) elements; expected an even number of them (head_dim, rotary_dim)")
        }
        guard attentionFactor.isFinite, attentionFactor > 0 else {
            throw BadInput(location, "the rope attention_factor is \(attentionFactor); expected a positive number")
        }
        switch scaling {
        case .none: return
        case .linear(let factor):
            guard factor.isFinite, factor > 0 else { throw BadInput(location, "the rope scaling factor is \(factor); expected a positive number") }
        case .llama3(let factor, let low, let high, let original):
            guard factor > 0, low > 0, high > low, original > 0, [factor, low, high, original].allSatisfy(\.isFinite) else {
                throw BadInput(
                    location,
                    "llama3 rope scaling needs factor > 0, 0 < low_freq_factor < high_freq_factor and "
                        + "original_max_position_embeddings > 0; found \(factor), \(low), \(high), \(original)")
            }
        case .yarn(let factor, let original, let fast, let slow, _):
            guard factor > 0, original > 0, slow > 0, fast > 0, [factor, original, fast, slow].allSatisfy(\.isFinite) else {
                throw BadInput(
                    location,
                    "yarn rope scaling needs factor, original_max_position_embeddings, beta_fast and beta_slow above 0; "
                        + "found \(factor), \(original), \(fast), \(slow)")
            }
        case .divisors(let divisors):
            guard divisors.count == dimensions / 2, divisors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
                throw BadInput(location, "the rope frequency divisors must be \(dimensions / 2) positive numbers")
            }
        }
    }
}
