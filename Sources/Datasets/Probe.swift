/// A prompt by which an edit is judged, or from which it is learned, and what should come of it.
public struct Probe: Sendable, Equatable {
    /// What a probe is about; scores are reported by it.
    public struct Kind: Sendable, Hashable {
        /// As reports name it.
        public let name: String

        /// A kind of one's own; probes of the same name are scored together.
        public init(_ name: String) { self.name = name }

        /// Whether the edit is made: its own prompt.
        public static let efficacy = Kind("efficacy")
        /// Whether it holds in other words.
        public static let generalization = Kind("generalization")
        /// Whether what it is not about is as before.
        public static let specificity = Kind("specificity")
        /// Those that every table of scores has.
        public static let standard = [efficacy, generalization, specificity]
    }

    /// Answers have no white space around them.
    public enum Expectation: Sendable, Equatable {
        /// The answer is likelier than the other, as the mean log probability of all its tokens.
        case answer(String, over: String)
        /// Each token of the answer is the likeliest.
        case tokens(String)
        /// Each token of one of the answers, which are spellings of one, is the likeliest. Never empty.
        case oneOf([String])

        /// All answers that it speaks of, those that should come first.
        public var answers: [String] {
            switch self {
            case .answer(let right, let wrong): [right, wrong]
            case .tokens(let answer): [answer]
            case .oneOf(let answers): answers
            }
        }
    }

    /// What training takes a probe for.
    public enum Lesson: Sendable {
        /// The edited model should give its answer.
        case follow
        /// The edited model should give what the model before gave.
        case keep
    }

    /// A prompt and the spellings of what should follow it.
    public struct Query: Sendable, Equatable {
        /// The text that the answer follows.
        public let prompt: String
        /// Any of them will do. Never empty.
        public let answers: [String]

        /// At least one answer.
        public init(_ prompt: String, _ answers: [String]) {
            precondition(!answers.isEmpty, "a query without an answer")
            self.prompt = prompt
            self.answers = answers
        }
    }

    /// What it is about.
    public let kind: Kind
    /// The text that an answer should follow.
    public let prompt: String
    /// What should come of it.
    public var expectation: Expectation
    /// nil: it is not trained on.
    public internal(set) var lesson: Lesson?
    /// Whether it counts in scores.
    public let isScored: Bool
    /// Other prompts that belong to it: its answer, or theirs, should come.
    public var companions: [Query] = []
    /// Whether answers should come at its own prompt and at all companions; otherwise one of them is enough.
    public var needsAllCompanions = false
    /// What the unedited model must answer, each: where it does not, the probe says nothing of the edit and is left out.
    public var conditions: [Query] = []

    /// A probe that is scored and not trained on, unless said otherwise.
    public init(_ kind: Kind, _ prompt: String, _ expectation: Expectation, lesson: Lesson? = nil, isScored: Bool = true) {
        self.kind = kind
        self.prompt = prompt
        self.expectation = expectation
        self.lesson = lesson
        self.isScored = isScored
    }

    /// The answer that should come.
    public var answer: String { expectation.answers[0] }
}
