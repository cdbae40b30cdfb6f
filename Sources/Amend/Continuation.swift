import TensorCore
import Tokenization
import Transformer

/// How a continuation is drawn from the model's probabilities.
public struct Sampling: Sendable {
    /// 0: always the most likely token. Above: draws from the distribution, sharper below 1, flatter above.
    public var temperature = 0.0
    /// Draws among so many of the most likely tokens; 0: among all.
    public var topK = 0
    /// Draws among the most likely tokens that together have this probability.
    public var topP = 1.0
    /// Of the draws.
    public var seed: UInt64 = 1
    /// The longest continuation, in tokens.
    public var maxTokens = 32

    /// The likeliest continuation, of at most 32 tokens.
    public init() {}
}

/// What a model adds to a prompt.
public struct Continuation: Sendable {
    /// Why a continuation ends.
    public enum Stop: String, Sendable {
        /// The model ended the text.
        case end
        /// It was cut.
        case length
    }

    /// What the tokens add to the prompt's text.
    public let text: String
    /// Without the token that ended it.
    public let tokens: [Int32]
    /// Why it ends there.
    public let stop: Stop

    /// `prompt` is checked.
    init(of prompt: [Int32], _ model: LanguageModel, _ tokenizer: Tokenizer, _ sampling: Sampling) {
        let choice = TokenChoice(temperature: sampling.temperature, topK: sampling.topK, topP: sampling.topP, seed: sampling.seed)
        let capacity = min(model.longestSequence, prompt.count + sampling.maxTokens), reader = TextReader(model, capacity: capacity)
        var tokens: [Int32] = [], next = prompt, stop = Stop.length
        while prompt.count + tokens.count < capacity {
            let token = choice.token(reader.read(next), index: tokens.count)
            if token == tokenizer.endOfText {
                stop = .end
                break
            }
            tokens.append(token)
            next = [token]
        }
        self.tokens = tokens
        self.stop = stop
        text = Self.text(of: tokens, after: prompt, tokenizer)
    }

    /// A continuation is decoded with its prompt: on its own its first token might lose its space.
    private static func text(of tokens: [Int32], after prompt: [Int32], _ tokenizer: Tokenizer) -> String {
        let start = tokenizer.decode(prompt, skipSpecialTokens: true), whole = tokenizer.decode(prompt + tokens, skipSpecialTokens: true)
        return whole.hasPrefix(start) ? String(whole.dropFirst(start.count)) : tokenizer.decode(tokens, skipSpecialTokens: true)
    }
}
