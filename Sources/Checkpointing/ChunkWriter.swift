import Dispatch
import TensorCore

/// What one rank wrote.
struct WrittenFile {
    /// The list of tensors the rank saved; must be the same on all.
    let layoutChecksum: Checksum
    let file: DataFile
    /// By chunk index, ascending.
    let records: [(chunk: Int, record: ChunkRecord)]
}

/// Filters, compresses and writes the chunks that this rank owns. Makes no collective call.
struct ChunkWriter {
    let tensors: [StateTensor]
    let layout: ChunkLayout
    let directory: StepDirectory
    let rank: Int
    let rankCount: Int
    let compressionLevel: Int
    /// Chunks compressed at the same time.
    let threads: Int
    let onStage: (@Sendable (SaveStage, Int) throws -> Void)?

    /// The chunks this rank writes: those of pieces it holds, and of those that everyone holds each R-th.
    func ownedChunks() -> [Chunk] {
        layout.chunks.filter { chunk in
            guard let holder = tensors[chunk.tensor].holder(chunk.piece) else { return chunk.index % rankCount == rank }
            precondition(
                (0..<rankCount).contains(holder),
                "piece \(chunk.piece) of '\(tensors[chunk.tensor].name)' is held by rank \(holder) of \(rankCount)")
            return holder == rank
        }
    }

    /// Writes and synchronizes the rank's file. Throws early if `isCancelled` becomes true.
    func write(_ owned: [Chunk], isCancelled: () -> Bool) throws -> WrittenFile {
        // Each rank makes the directory, so that a network file system's stale caches cannot hide rank 0's.
        try FileSystem.makeDirectory(directory.partial)
        try onStage?(.partialCreated, rank)
        let name = DataFile.name(rank: rank)
        let file = try File(creating: directory.partial + "/" + name)
        let workers = try (0..<max(1, min(threads, owned.count))).map { _ in
            EncodingWorker(encoder: try ChunkEncoder(chunkBytes: layout.chunkBytes, level: compressionLevel))
        }
        var records: [(chunk: Int, record: ChunkRecord)] = []
        var offset = 0
        for start in stride(from: 0, to: owned.count, by: workers.count) {
            guard !isCancelled() else { throw CheckpointFailure("cancelled") }
            let wave = owned[start..<min(start + workers.count, owned.count)]
            for (chunk, encoded) in zip(wave, try encode(Array(wave), workers: workers)) {
                try file.write(encoded.stored)
                try onStage?(.chunkWritten, rank)
                records.append((chunk.index, record(chunk, encoded, offset: offset)))
                offset += encoded.stored.count
            }
        }
        try file.synchronizeAndClose()
        try onStage?(.dataSynchronized, rank)
        return WrittenFile(layoutChecksum: try layout.checksum(), file: DataFile(name: name, length: offset), records: records)
    }

    private func record(_ chunk: Chunk, _ encoded: ChunkEncoder.Result, offset: Int) -> ChunkRecord {
        ChunkRecord(
            file: rank, offset: offset, storedLength: encoded.stored.count, rawLength: chunk.byteCount,
            encoding: encoded.encoding, storedChecksum: encoded.storedChecksum, rawChecksum: encoded.rawChecksum)
    }

    /// One chunk per worker, at the same time.
    private func encode(_ chunks: [Chunk], workers: [EncodingWorker]) throws -> [ChunkEncoder.Result] {
        for (worker, chunk) in zip(workers, chunks) { worker.assign(chunk, of: tensors[chunk.tensor]) }
        if chunks.count == 1 {
            workers[0].run()
        } else {
            DispatchQueue.concurrentPerform(iterations: chunks.count) { workers[$0].run() }
        }
        return try workers.prefix(chunks.count).map { try $0.result() }
    }
}

extension ChunkLayout {
    /// Of everything that the ranks must agree on.
    func checksum() throws -> Checksum { Checksum(of: Array(try Manifest.header(state: .null, layout: self).text().utf8)) }
}

/// An encoder with its current chunk and result.
///
/// `@unchecked Sendable`: in each wave exactly one thread runs it, and `concurrentPerform` orders that before `result`.
private final class EncodingWorker: @unchecked Sendable {
    private let encoder: ChunkEncoder
    private var job: (chunk: Chunk, tensor: StateTensor)?
    private var outcome: Result<ChunkEncoder.Result, any Error>?

    init(encoder: ChunkEncoder) { self.encoder = encoder }

    func assign(_ chunk: Chunk, of tensor: StateTensor) { job = (chunk, tensor) }

    func run() {
        guard let (chunk, tensor) = job else { return }
        outcome = Result {
            let bytes = tensor.bytes(chunk.elements)
            precondition(
                bytes.count == chunk.byteCount,
                "'\(tensor.name)' gave \(bytes.count) bytes for elements \(chunk.elements), expected \(chunk.byteCount)")
            return try encoder.encode(
                bytes, elements: chunk.elements, width: tensor.elementType.width, reference: tensor.reference)
        }
    }

    func result() throws -> ChunkEncoder.Result {
        guard let outcome else { preconditionFailure("result before run") }
        return try outcome.get()
    }
}

extension WrittenFile {
    /// To gather at rank 0.
    func encoded() throws -> [UInt8] {
        let chunks = records.map { entry in
            guard case .object(let members) = entry.record.json else { return entry.record.json }
            return .object(members.merging(["chunk": .integer(entry.chunk)]) { first, _ in first })
        }
        let value: DocumentValue = [
            "layout": .string("\(layoutChecksum)"), "name": .string(file.name), "length": .integer(file.length),
            "chunks": .array(chunks),
        ]
        return Array(try value.text().utf8)
    }

    init(encoded bytes: [UInt8], rank: Int) throws {
        let location = "rank \(rank)'s list of chunks"
        let reader = DocumentReader(value: try DocumentValue(parsing: bytes, location: location), location: location, path: "")
        self.init(
            layoutChecksum: try reader["layout"].checksum(), file: try DataFile(reading: reader),
            records: try reader["chunks"].array().map { (try $0["chunk"].natural(), try ChunkRecord(reading: $0)) })
    }
}
