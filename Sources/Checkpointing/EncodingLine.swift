import Foundation

/// Chunks on their way to a file: filtered and compressed by however many threads have time, written one after another in
/// order.
///
/// `@unchecked Sendable`: all mutable state is guarded by the condition.
final class EncodingLine: @unchecked Sendable {
    typealias Sink = (Chunk, ChunkEncoder.Result) throws -> Void

    private let chunks: [Chunk]
    private let tensors: [StateTensor]
    private let chunkBytes: Int
    private let level: Int

    private let condition = NSCondition()
    private var sink: Sink?
    private var claimed = 0
    private var written = 0
    private var failure: (any Error)?

    init(_ chunks: [Chunk], tensors: [StateTensor], chunkBytes: Int, level: Int) {
        (self.chunks, self.tensors, self.chunkBytes, self.level) = (chunks, tensors, chunkBytes, level)
    }

    /// From now on encoded chunks go to `sink`: in order, never two at a time.
    func start(_ sink: @escaping Sink) { locked { self.sink = sink } }

    /// Ends the line, now or before it has started, with its first error.
    func fail(_ error: any Error) { locked { failure = failure ?? error } }

    /// Encodes and writes until no chunk is left to begin or the line has failed; waits until it has started. For any number of
    /// threads at once, each with buffers of its own.
    func work() {
        do {
            guard var index = claim() else { return }
            let encoder = try ChunkEncoder(chunkBytes: chunkBytes, level: level)
            while true {
                try deliver(index, try encode(chunks[index], encoder))
                guard let next = claim() else { return }
                index = next
            }
        } catch {
            fail(error)
        }
    }

    /// Waits until everything is written. Throws what went wrong.
    func finish() throws {
        try locked {
            while written < chunks.count && failure == nil { condition.wait() }
            if let failure { throw failure }
        }
    }

    private func claim() -> Int? {
        locked {
            while sink == nil && failure == nil { condition.wait() }
            guard failure == nil, claimed < chunks.count else { return nil }
            defer { claimed += 1 }
            return claimed
        }
    }

    private func encode(_ chunk: Chunk, _ encoder: ChunkEncoder) throws -> ChunkEncoder.Result {
        let tensor = tensors[chunk.tensor], bytes = tensor.bytes(chunk.elements)
        precondition(
            bytes.count == chunk.byteCount,
            "'\(tensor.name)' gave \(bytes.count) bytes for elements \(chunk.elements), expected \(chunk.byteCount)")
        return try encoder.encode(bytes, elements: chunk.elements, width: tensor.elementType.width, reference: tensor.reference)
    }

    private func deliver(_ index: Int, _ result: ChunkEncoder.Result) throws {
        let sink: Sink? = locked {
            while written < index && failure == nil { condition.wait() }
            return failure == nil ? self.sink : nil
        }
        guard let sink else { return }
        try sink(chunks[index], result)  // the others wait for `written`
        locked { written += 1 }
    }

    /// Whoever waits looks again afterwards.
    private func locked<Value>(_ body: () throws -> Value) rethrows -> Value {
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
        }
        return try body()
    }
}
