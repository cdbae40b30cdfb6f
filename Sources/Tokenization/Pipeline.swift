/// All parts of a tokenizer, in the order in which a text passes through them.
struct Pipeline: Sendable {
    let added: AddedVocabulary
    let normalizer: Normalizer?
    let preTokenizer: PreTokenizer?
    let model: BytePairModel
    let templates: [Template]
    let decoder: TokenDecoder?
    let beginningOfText: Int32?
    let endOfText: Int32?
    /// What a user should know of the files, in one line each.
    var notes: [String] = []

    func text(of id: Int32) -> ExactString? {
        model.pieces.text(of: id) ?? added.tokens[id]?.content
    }

    var highestID: Int32? {
        [model.pieces.highestID, added.tokens.keys.max()].compactMap(\.self).max()
    }

    /// What becomes of a text before byte pairs are merged: added tokens, and words in between.
    enum Part {
        case token(Int32)
        case word(ExactString)
    }

    /// - Parameter marksStart: whether "▁" is put before the text where the pipeline does that.
    func parts(of text: ExactString, marksStart: Bool) -> [Part] {
        added.segmentsOfGiven(text).flatMap { segment -> [Part] in
            switch segment {
            case .token(let id): return [.token(id)]
            case .text(let range):
                let startsText = range.lowerBound == 0
                let given = text[range]
                let normalized = normalizer?.apply(given, marksStart: marksStart || !startsText) ?? given
                return words(of: normalized, startsText: startsText)
            }
        }
    }

    private func words(of text: ExactString, startsText: Bool) -> [Part] {
        added.segmentsOfNormalized(text).flatMap { segment -> [Part] in
            switch segment {
            case .token(let id): return [.token(id)]
            case .text(let range):
                let piece = Piece(text: text[range], startsText: startsText && range.lowerBound == 0)
                return (preTokenizer?.apply([piece]) ?? [piece]).map { .word($0.text) }
            }
        }
    }

    func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        let tokens = ids.filter { !skipSpecialTokens || added.tokens[$0]?.isSpecial != true }.compactMap(text)
        guard let decoder else { return tokens.map(\.string).joined(separator: " ") }
        return ExactString(utf8: decoder.apply(tokens).flatMap(\.utf8)).string
    }
}
