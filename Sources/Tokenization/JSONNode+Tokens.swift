import Documents
import TensorCore

// What stands in the JSON files of tokenizers.

extension JSONNode {
    private static let largestFileBytes = 1 << 26  // the largest published tokenizers have some 35 MB

    /// One of a tokenizer's files.
    init(tokenizerFile path: String) throws {
        try self.init(contentsOf: path, atMost: Self.largestFileBytes, what: "a tokenizer")
    }

    func exactString() throws -> ExactString { ExactString(try string()) }

    /// The text of a token.
    func tokenText() throws -> ExactString {
        let text = try exactString()
        if let problem = TokenTable.problem(with: text) { throw fail(problem) }
        return text
    }

    /// A whole number from 0 to 2³¹ − 1.
    func index() throws -> Int32 {
        guard let index = value?.index else {
            let found = value?.double.map { "\($0)" } ?? value?.kind ?? "nothing"
            throw fail("expected a whole number from 0 to \(Int32.max), found \(found)")
        }
        return index
    }

    /// A single scalar.
    func scalar() throws -> Unicode.Scalar {
        let scalars = try string().unicodeScalars
        guard let first = scalars.first, scalars.count == 1 else { throw fail("expected one character, found '\(scalars)'") }
        return first
    }
}

extension JSONValue {
    /// A whole number from 0 to 2³¹ − 1, however it is written.
    var index: Int32? {
        let index: Int32? = if case .integer(let integer) = self { Int32(exactly: integer) } else { double.flatMap { Int32(exactly: $0) } }
        return index.flatMap { $0 >= 0 ? $0 : nil }
    }

    /// Of this value and all in it.
    var objectCount: Int {
        switch self {
        case .array(let values): values.reduce(0) { $0 + $1.objectCount }
        case .object(let object): object.members.reduce(1) { $0 + $1.value.objectCount }
        default: 0
        }
    }
}

extension String {
    /// As a message shows it: control characters and line ends escaped, the middle of a long text left out.
    var onOneLine: String { oneLine(self, atMost: 400) }
}
