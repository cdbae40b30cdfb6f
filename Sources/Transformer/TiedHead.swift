import TensorCore
import WeightFiles

/// Which tensors are a model's embedding and its head. The files overrule a configuration that ties the two, as in transformers: a head of its
/// own is used where it differs from the embedding, and stands for an embedding that is missing.
struct TiedHead {
    struct Ends {
        var embedding: StoredTensor
        var head: StoredTensor?  // nil: the embedding
        var notes: [String] = []
    }

    private let source: any WeightSource
    private let embeddingName, headName: String
    private let shape: [Int]
    private let isTied: Bool

    init(_ source: any WeightSource, _ names: TensorNames, _ configuration: DecoderConfiguration) {
        self.source = source
        (embeddingName, headName) = (names.embedding + ".weight", names.head + ".weight")
        shape = [configuration.vocabularySize, configuration.hiddenSize]
        isTied = configuration.hasTiedHead
    }

    func resolve() throws -> Ends {
        guard isTied, source.tensor(headName) != nil else {
            return Ends(embedding: try source.require(embeddingName, shape: shape), head: isTied ? nil : try source.require(headName, shape: shape))
        }
        let head = try source.require(headName, shape: shape)
        guard source.tensor(embeddingName) != nil else { return Ends(embedding: head) }
        let embedding = try source.require(embeddingName, shape: shape)
        if try Self.areEqual(embedding, head) { return Ends(embedding: embedding) }
        return Ends(
            embedding: embedding, head: head,
            notes: [
                "\(source.path): the head is '\(headName)' of the file: it differs from '\(embeddingName)', which the configuration ties it to"
            ])
    }

    private static func areEqual(_ one: StoredTensor, _ other: StoredTensor) throws -> Bool {
        if one.elementType == other.elementType {
            let (a, b) = (one.file.bytes[one.byteRange], other.file.bytes[other.byteRange])
            if a.elementsEqual(b) { return true }
        }
        // Other bits may be equal numbers.
        let columns = max(1, one.columns), block = max(1, min(one.rows, (1 << 18) / columns))
        let a = Matrix(rows: block, columns: columns), b = Matrix(rows: block, columns: columns)
        for first in stride(from: 0, to: one.rows, by: block) {
            let rows = first..<min(one.rows, first + block)
            try one.decodeRows(rows, into: a.pointer)
            try other.decodeRows(rows, into: b.pointer)
            for index in 0..<rows.count * columns where a.pointer[index] != b.pointer[index] { return false }
        }
        return true
    }
}
