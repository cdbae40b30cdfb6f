import TensorCore

/// The sizes and constants of a decoder-only transformer, whatever file they came from.
public struct DecoderConfiguration: Sendable, Equatable {
    public var family: String  // "llama"
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layerCount: Int
    public var headCount: Int
    public var keyValueHeadCount: Int
    public var headSize: Int
    public var vocabularySize: Int
    public var contextLength: Int
    public var normEpsilon: Float
    public var rotary: RotaryConfiguration
    public var hasTiedHead: Bool

    public var querySize: Int { headCount * headSize }
    public var keyValueSize: Int { keyValueHeadCount * headSize }

    /// Refuses what the engine could not compute with; `location` names the file.
    func validate(_ location: String) throws {
        let sizes = [
            ("hidden_size", hiddenSize), ("intermediate_size", intermediateSize), ("num_hidden_layers", layerCount),
            ("num_attention_heads", headCount), ("num_key_value_heads", keyValueHeadCount), ("head_dim", headSize),
            ("vocab_size", vocabularySize), ("max_position_embeddings", contextLength),
        ]
        for (name, value) in sizes where value < 1 || value > 1 << 24 {
            throw BadInput(location, "\(name) is \(value); expected 1 to \(1 << 24)")
        }
        guard headCount % keyValueHeadCount == 0 else {
            throw BadInput(location, "num_attention_heads (\(headCount)) is not a multiple of num_key_value_heads (\(keyValueHeadCount))")
        }
        guard headSize % 2 == 0 else {
            throw BadInput(location, "head_dim is \(headSize); rotary embeddings turn pairs, so it must be even")
        }
        guard normEpsilon > 0, normEpsilon < 1 else {
            throw BadInput(location, "rms_norm_eps is \(normEpsilon); expected a small positive number")
        }
        try rotary.validate(location)
    }
}

/// Rotary position embeddings (Su et al., arXiv 2104.09864), with the frequency scaling of Llama 3.
public struct RotaryConfiguration: Sendable, Equatable {
    public enum Scaling: Sendable, Equatable {
        case none
        case linear(factor: Float)
        case llama3(factor: Float, lowFrequency: Float, highFrequency: Float, originalContext: Float)
        /// A divisor for each frequency, as GGUF files store them (rope_freqs.weight).
        case divisors([Float])
    }

    public var base: Float
    public var scaling: Scaling

    func validate(_ location: String) throws {
        guard base.isFinite, base > 1 else { throw BadInput(location, "rope_theta is \(base); expected a number above 1") }
        switch scaling {
        case .none: return
        case .linear(let factor):
            guard factor.isFinite, factor > 0 else { throw BadInput(location, "the rope scaling factor is \(factor); expected a positive number") }
        case .llama3(let factor, let low, let high, let original):
            guard factor > 0, low > 0, high > low, original > 0, [factor, low, high, original].allSatisfy(\.isFinite) else {
                throw BadInput(location, "llama3 rope scaling needs factor > 0, 0 < low_freq_factor < high_freq_factor and "
                    + "original_max_position_embeddings > 0; found \(factor), \(low), \(high), \(original)")
            }
        case .divisors(let divisors):
            guard divisors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
                throw BadInput(location, "the rope frequency divisors must be positive numbers")
            }
        }
    }
}
