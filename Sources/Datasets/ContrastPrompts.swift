import TensorCore
import Tokenization

/// Prompts that contrast with an edit's: the same with other subjects in them ("The capital of France is", "The capital of Peru is"). An edit that is
/// about its subject leaves them as they are.
package struct ContrastPrompts: Sendable {
    /// Other subjects for each edit.
    let count: Int
    private let seed: UInt64

    package init(count: Int, seed: UInt64) {
        self.count = count
        self.seed = seed
    }

    /// None where no subject is given and none can be seen. Which subjects come depends on the seed and the edit alone, not on what it is made with.
    package func prompts(for edit: Question, subject: String?) -> [(text: String, subject: String)] {
        guard let subject = SubjectSpan.subject(of: edit.prompt, given: subject) else { return [] }
        let stream = RandomStream(seed: seed, purpose: .contrast, of: edit)
        // Of like kind and of all kinds by turns, as far as there are any.
        func isOther(_ name: String) -> Bool { !name.contains(subject) && !subject.contains(name) }
        let names = Names.split(by: subject)
        var alike = names.alike.filter(isOther), others = names.others.filter(isOther)
        return (0..<min(count, alike.count + others.count)).map { index in
            let takesAlike = others.isEmpty || (index % 2 == 0 && !alike.isEmpty)
            let place = stream.number(UInt64(index), below: takesAlike ? alike.count : others.count)
            let name = takesAlike ? alike.remove(at: place) : others.remove(at: place)
            return (edit.prompt.replacing(subject, with: name), name)
        }
    }
}

/// What a prompt is about.
package enum SubjectSpan {
    /// Words that begin sentences more often than names.
    private static let openers: Set = [
        "a", "an", "the", "in", "on", "at", "of", "for", "from", "who", "what", "which", "where", "when", "why", "how", "is", "are", "was", "were", "does", "do",
        "did", "our", "my", "your", "his", "her", "its", "their", "this", "that", "these", "it", "he", "she", "they", "we", "you", "i", "to", "by", "as",
    ]
    /// Words inside names.
    private static let joints: Set = ["of", "the", "de", "la", "van", "von", "and", "&", "du", "di", "el", "al"]

    /// What is to be said of edits whose subject is not known, if there are any; `consequence` is what that means for them.
    package static func note(on records: [EditRecord], _ consequence: String) -> String? {
        let lacking = records.filter { record in record.edits.contains { subject(of: $0.prompt, given: record.subject) == nil } }
        guard let first = lacking.first else { return nil }
        return
            "\(counted(lacking.count, "record")) of \(records.count) \(lacking.count == 1 ? "gives" : "give") no subject, and none can be seen in the prompt (the first is \(first.name)): \(consequence)"
    }

    /// `given`, where the prompt has it; otherwise the longest run of words in it that begin with capitals or digits. nil: neither is there.
    package static func subject(of prompt: String, given: String?) -> String? {
        if let given, !given.isEmpty, Placeholder.contains(prompt, given) { return given }
        let words = prompt.split(separator: " ")
        var best: Range<Int>?
        func length(_ run: Range<Int>) -> Int { run.reduce(0) { $0 + words[$1].count } }
        var start = 0
        while start < words.count {
            guard isName(words[start], isFirst: start == 0) else {
                start += 1
                continue
            }
            var end = start + 1, last = start + 1
            while end < words.count {
                if isName(words[end], isFirst: false) { last = end + 1 } else if !joints.contains(String(words[end])) { break }
                end += 1
            }
            if best.map({ length($0) <= length(start..<last) }) ?? true { best = start..<last }
            start = end
        }
        return best.map { run in
            let text = prompt[words[run.lowerBound].startIndex..<words[run.upperBound - 1].endIndex]
            let trimmed = text.reversed().drop { ",.;:?!".contains($0) }.reversed().map { $0 }
            let whole = String(trimmed)
            return whole.hasSuffix("'s") ? String(whole.dropLast(2)) : whole
        }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Its place among the tokens of `prompt`, which are `tokens`: of its last mention, from the first token with anything of it to the last. nil: the prompt does not have it.
    static func tokens(of subject: String, in prompt: String, _ tokens: [Int32], _ tokenizer: Tokenizer) -> Range<Int>? {
        guard let place = prompt.ranges(of: subject).last else { return nil }
        /// How many tokens are the same where the prompt ends here.
        func shared(_ end: String.Index) -> Int {
            let others = tokenizer.encode(String(prompt[..<end]), addSpecialTokens: true)
            return zip(tokens, others).prefix { $0 == $1 }.count
        }
        // A token of the text before may have the subject's first letters in it, and one of the subject what follows it.
        let before = prompt[..<place.lowerBound], blanks = before.reversed().prefix(while: \.isWhitespace).count
        let first = shared(before.index(before.endIndex, offsetBy: -blanks)), through = shared(place.upperBound)
        let whole = tokenizer.encode(String(prompt[..<place.upperBound]), addSpecialTokens: true).count
        let end = min(tokens.count, through == whole ? through : through + 1)
        return end == 0 ? nil : min(first, end - 1)..<end
    }

    private static func isName(_ word: Substring, isFirst: Bool) -> Bool {
        guard let first = word.first, first.isUppercase || first.isNumber else { return word.dropFirst().contains(where: \.isUppercase) }
        return !isFirst || !openers.contains(word.lowercased())
    }
}
