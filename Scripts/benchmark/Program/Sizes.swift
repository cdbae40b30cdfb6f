/// A model's sizes, as far as kernels see them.
struct ModelShape {
    let hidden: Int
    let intermediate: Int
    let heads: Int
    let keyValueHeads: Int
    let headSize: Int
    let vocabulary: Int

    static let smolLM2 = ModelShape(hidden: 576, intermediate: 1536, heads: 9, keyValueHeads: 3, headSize: 64, vocabulary: 49_152)
    static let llama3 = ModelShape(hidden: 4096, intermediate: 14_336, heads: 32, keyValueHeads: 8, headSize: 128, vocabulary: 128_256)

    /// Of key and value gradient, one behind the other: a row of the hypernetwork for `gate_proj` or `up_proj`.
    var width: Int { hidden + intermediate }
}

/// What kernels are measured at.
struct Sizes {
    let model: ModelShape
    let largeModel: ModelShape?
    /// Rows of a batch of edits: answer tokens, all tokens, and the numbers of rows that products with the model's weights are measured at.
    let answers, tokens: Int
    let rows: [Int]
    /// Answer tokens of all edited modules: rows of the hypernetwork.
    let captured: Int
    let rank: Int
    /// Sequences, and tokens of each.
    let packs: [(count: Int, tokens: Int)]
    /// Rows of a ridge system.
    let ridgeRows: [Int]
    /// Of a type whose values are decoded as a model is loaded, and of a checkpoint's chunk.
    let decodedBlocks, chunkBytes: Int

    var models: [ModelShape] { [model] + (largeModel.map { [$0] } ?? []) }

    /// Of meta-training SmolLM2-135M on batches of 20 edits of CounterFact (23 answer tokens, 167 in the edits, 232 in the rephrasings, 84 on one
    /// rank of two), twelve modules edited, and of Llama 3 8B.
    static let job = Sizes(
        model: .smolLM2, largeModel: .llama3, answers: 23, tokens: 167, rows: [23, 84, 167, 232], captured: 12 * 23, rank: 1024,
        packs: [(20, 8), (20, 12), (4, 64)], ridgeRows: [23, 1280], decodedBlocks: 4096, chunkBytes: 1 << 20)

    /// For counting instructions, where a fused multiply-add takes a tenth of a microsecond.
    static let small = Sizes(
        model: ModelShape(hidden: 192, intermediate: 512, heads: 3, keyValueHeads: 1, headSize: 64, vocabulary: 8192), largeModel: nil,
        answers: 5, tokens: 23, rows: [23], captured: 23, rank: 128, packs: [(2, 12)], ridgeRows: [23, 256], decodedBlocks: 64, chunkBytes: 1 << 16)
}
