/// Byte-pair encoding of one word: starts from its characters and merges neighbours, best merge first.
struct BytePairModel: Sendable {
    let pieces: TokenTable
    let merges: MergeRule
    var unknown: Int32?
    /// Neighbouring unknown characters become one unknown token.
    var fusesUnknown = false
    /// Ids of the tokens "<0x00>" … "<0xFF>" that stand in for characters without one of their own; nil without fallback.
    var byteTokens: [Int32?]?
    /// A word that is in the vocabulary is one token, whatever the merges say.
    var ignoresMerges = false

    /// The ids of "<0x00>" … "<0xFF>" in a vocabulary, nil for those that are not in it.
    static func byteTokens(in pieces: TokenTable) -> [Int32?] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return pieces.id(of: ExactString("<0x\(byte < 16 ? "0" : "")\(digits)>"))
        }
    }

    func encode(_ word: ExactString) -> [Int32] {
        if ignoresMerges, let id = pieces.id(of: word) { return [id] }
        return merges.merged(symbols(of: word))
    }

    /// The ids of the word's characters. A character without one, where nothing stands in for it, is left out.
    private func symbols(of word: ExactString) -> [Int32] {
        var symbols: [Int32] = []
        symbols.reserveCapacity(word.utf8.count)
        var pendingUnknown: Int32?
        for range in word.scalarRanges {
            if let id = pieces.id(of: word.utf8[range]) {
                if let unknown = pendingUnknown.take() { symbols.append(unknown) }
                symbols.append(id)
            } else if let bytes = fallback(word.utf8[range]) {
                symbols += bytes  // a pending unknown token comes after them, as in Hugging Face's encoder
            } else if let unknown {
                if !fusesUnknown, let earlier = pendingUnknown { symbols.append(earlier) }
                pendingUnknown = unknown
            }
        }
        if let pendingUnknown { symbols.append(pendingUnknown) }
        return symbols
    }

    private func fallback(_ character: ArraySlice<UInt8>) -> [Int32]? {
        guard let byteTokens else { return nil }
        let ids = character.compactMap { byteTokens[Int($0)] }
        return ids.count == character.count ? ids : nil
    }
}
