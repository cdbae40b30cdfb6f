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
        var key = Fingerprint()
        key.mix(edit.prompt)
        key.mix(edit.answer)
        let stream = RandomStream(seed: seed ^ key.value, purpose: .prefixes)
        var left = Self.sentences
        return (0..<min(count, left.count)).map { index in
            let place = Int((UInt64(stream.block(UInt64(index)).0) * UInt64(left.count)) >> 32)
            return left.remove(at: place) + " " + edit.prompt
        }
    }
}
