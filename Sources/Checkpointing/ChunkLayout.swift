import TensorCore

/// One chunk: a range of elements of one piece of one tensor. It never spans pieces, so that chunks are the same for
/// any number of ranks.
struct Chunk {
    /// Position in the canonical order: tensors in their order, pieces in theirs, chunks by element.
    let index: Int
    let tensor: Int
    let piece: Int
    let elements: Range<Int>
    let byteCount: Int
}

/// How a list of tensors is cut into chunks.
struct ChunkLayout {
    /// Bounds of a chunk's size in bytes; a multiple of 8, so that elements are never cut.
    static let allowedChunkBytes = 8...(64 << 20)

    let tensors: [TensorLayout]
    let chunkBytes: Int
    let chunks: [Chunk]
    /// The chunk indices of each tensor.
    let chunksOfTensor: [Range<Int>]

    /// Names must be unique. `limit` bounds the number of chunks (a manifest's text cannot list more than it has);
    /// beyond it, `BadInput` at `location`.
    init(tensors: [TensorLayout], chunkBytes: Int, limit: Int = .max, location: String) throws {
        guard Self.allowedChunkBytes.contains(chunkBytes), chunkBytes % 8 == 0 else {
            throw BadInput(
                location, "chunkBytes is \(chunkBytes), expected a multiple of 8 in \(Self.allowedChunkBytes)")
        }
        var chunks: [Chunk] = []
        var chunksOfTensor: [Range<Int>] = []
        var names: Set<String> = []
        for (t, tensor) in tensors.enumerated() {
            guard names.insert(tensor.name).inserted else { throw BadInput(location, "two tensors are named '\(tensor.name)'") }
            let start = chunks.count
            let width = tensor.elementType.width
            let step = chunkBytes / width
            for (p, piece) in tensor.pieces.enumerated() {
                let needed = piece.count / step + (piece.count % step == 0 ? 0 : 1)
                guard needed <= limit - chunks.count else {
                    throw BadInput(location, "'\(tensor.name)' \(tensor.typeAndShape) needs more than the \(limit) chunks listed")
                }
                var lower = piece.lowerBound
                while lower < piece.upperBound {
                    let count = min(step, piece.upperBound - lower)
                    chunks.append(
                        Chunk(index: chunks.count, tensor: t, piece: p, elements: lower..<lower + count, byteCount: count * width))
                    lower += count
                }
            }
            chunksOfTensor.append(start..<chunks.count)
        }
        (self.tensors, self.chunkBytes, self.chunks) = (tensors, chunkBytes, chunks)
        self.chunksOfTensor = chunksOfTensor
    }

    /// The chunks of a tensor that hold any of `elements`, in order.
    func chunks(ofTensor tensor: Int, overlapping elements: Range<Int>) -> ArraySlice<Chunk> {
        let all = chunks[chunksOfTensor[tensor]]
        // Chunks are sorted by element: binary search for both ends.
        let first = all.partitionPoint { $0.elements.upperBound > elements.lowerBound }
        let last = all.partitionPoint { $0.elements.lowerBound >= elements.upperBound }
        return first < last ? all[first..<last] : []
    }

    var rawBytes: Int { tensors.reduce(0) { $0 + $1.byteCount } }
}

extension ArraySlice {
    /// The first index for which `isPast` holds, given that it holds for all that follow.
    fileprivate func partitionPoint(where isPast: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if isPast(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
