import TensorCore

/// Text before an edit's prompt: a sentence of plain text, so that the edit holds wherever the prompt comes.
package struct Prefixes: Sendable {
    /// For each edit.
    let count: Int
    private let seed: UInt64

    package init(count: Int, seed: UInt64) {
        self.count = count
        self.seed = seed
    }

    private static let sentences = PlainText.passages.map { passage in passage.firstRange(of: ". ").map { String(passage[..<$0.lowerBound]) + "." } ?? passage }

    /// The prompt behind each of several sentences. Which depends on the seed and the edit alone, not on what it is made with.
    package func prompts(for edit: Question) -> [String] {
        let stream = RandomStream(seed: seed, purpose: .prefixes, of: edit)
        var left = Self.sentences
        return (0..<min(count, left.count)).map { index in
            left.remove(at: stream.number(UInt64(index), below: left.count)) + " " + edit.prompt
        }
    }
}

extension RandomStream {
    /// For what is drawn for an edit: it depends on the seed and the edit alone.
    init(seed: UInt64, purpose: Purpose, of edit: Question) {
        var key = Fingerprint()
        key.mix(edit.prompt)
        key.mix(edit.answer)
        self.init(seed: seed ^ key.value, purpose: purpose)
    }
}
