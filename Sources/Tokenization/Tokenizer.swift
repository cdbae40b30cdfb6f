/// A byte-pair tokenizer that gives the ids which Hugging Face's `tokenizers` gives.
///
/// Safe to use from several threads at once.
package final class Tokenizer: Sendable {
    private let pipeline: Pipeline
    private let words = WordCache()

    init(_ pipeline: Pipeline) {
        self.pipeline = pipeline
        vocabularySize = (pipeline.highestID.map(Int.init) ?? -1) + 1
    }

    /// Reads a Hugging Face tokenizer.json by itself.
    ///
    /// Its `truncation` and `padding` sections are not applied. Throws `BadInput` if the file cannot be read, is no such
    /// file, contradicts itself, or names a component that is not known here.
    package convenience init(contentsOf path: String) throws {
        self.init(try Pipeline(contentsOf: path))
    }

    /// Reads tokenizer.json and the files beside it in a Hugging Face directory, and gives the ids that transformers 5 gives: see ``TokenizerSettings``.
    ///
    /// Throws `BadInput` for what the other initialisers throw it for, and for a setting that would change tokens and is not known here.
    package convenience init(directory: String) throws {
        self.init(try Pipeline(directory: directory))
    }

    /// A tokenizer from the metadata of a GGUF file. Throws `BadInput` if they are not those of a known tokenizer.
    package convenience init(gguf vocabulary: GGUFVocabulary) throws {
        self.init(try Pipeline(vocabulary))
    }

    /// What a user should know of the files that the tokenizer was read from, in one line each: what they contradict each other in, and which counts.
    package var notes: [String] { pipeline.notes }

    /// The highest id + 1. Ids below it may be unused.
    package let vocabularySize: Int

    /// The id that starts a text, where it is known: from GGUF metadata, the token that the post-processor puts first, or
    /// a special token by one of the usual names. In a directory, first of all what tokenizer_config.json names.
    package var beginningOfText: Int32? { pipeline.beginningOfText }

    /// The id that ends a text, where it is known; found like `beginningOfText`.
    package var endOfText: Int32? { pipeline.endOfText }

    /// The ids of a text. Special tokens that are spelled out in the text become their ids.
    ///
    /// A character that the vocabulary cannot express is left out if the tokenizer has no unknown token.
    /// - Parameter addSpecialTokens: whether to put those around the text that the tokenizer prescribes, such as a
    ///   beginning-of-text token.
    package func encode(_ text: String, addSpecialTokens: Bool) -> [Int32] {
        let ids = ids(of: ExactString(text), marksStart: true)
        return addSpecialTokens ? pipeline.templates.reduce(ids) { $1.apply($0) } : ids
    }

    /// The ids of an answer that continues a text: those of a space and the answer, without special tokens.
    ///
    /// Where the tokenizer puts a word-start marker "▁" before every text, the space is the only one that the answer
    /// starts with: " Paris" is "▁Paris", not "▁▁Paris".
    package func encodeContinuation(_ answer: String) -> [Int32] {
        ids(of: ExactString(" " + answer), marksStart: false)
    }

    /// The text of ids. Ids that are not in the vocabulary are skipped; bytes that are not UTF-8 become U+FFFD.
    package func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        pipeline.decode(ids, skipSpecialTokens: skipSpecialTokens)
    }

    private func ids(of text: ExactString, marksStart: Bool) -> [Int32] {
        pipeline.parts(of: text, marksStart: marksStart).flatMap { part in
            switch part {
            case .token(let id): [id]
            case .word(let word): words.ids(of: word, or: pipeline.model.encode)
            }
        }
    }
}
