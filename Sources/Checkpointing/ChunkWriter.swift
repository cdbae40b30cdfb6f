import Dispatch
import Documents
import TensorCore

/// What one rank wrote.
struct WrittenFile {
    /// The list of tensors the rank saved; must be the same on all.
    let layoutChecksum: Checksum
    let file: DataFile
    /// By chunk index, ascending.
    let records: [(chunk: Int, record: ChunkRecord)]
}

/// Writes the file of the chunks that this rank owns. Makes no collective call.
struct ChunkWriter {
    let tensors: [StateTensor]
    let layout: ChunkLayout
    let directory: StepDirectory
    let rank: Int
    let rankCount: Int
    let compressionLevel: Int
    /// Chunks compressed at the same time while nobody waits.
    let threads: Int
    let onStage: (@Sendable (SaveStage, Int) throws -> Void)?

    /// The chunks this rank writes: those of pieces it holds, and of those that everyone holds each R-th.
    func ownedChunks() -> [Chunk] {
        layout.chunks.filter { chunk in
            guard let holder = tensors[chunk.tensor].pieces.holder(chunk.piece) else { return chunk.index % rankCount == rank }
            precondition(
                (0..<rankCount).contains(holder),
                "piece \(chunk.piece) of '\(tensors[chunk.tensor].name)' is held by rank \(holder) of \(rankCount)")
            return holder == rank
        }
    }

    func line(of owned: [Chunk]) -> EncodingLine {
        EncodingLine(owned, tensors: tensors, chunkBytes: layout.chunkBytes, level: compressionLevel)
    }

    /// Writes and synchronizes the rank's file. Throws early if `isCancelled` becomes true.
    func write(_ line: EncodingLine, isCancelled: @escaping () -> Bool) throws -> WrittenFile {
        do {
            // Each rank makes the directory, so that a network file system's stale caches cannot hide rank 0's.
            try FileSystem.makeDirectory(directory.partial)
            try onStage?(.partialCreated, rank)
            let name = DataFile.name(rank: rank)
            let file = try File(creating: directory.partial + "/" + name)
            var records: [(chunk: Int, record: ChunkRecord)] = []
            var offset = 0
            line.start { chunk, encoded in
                guard !isCancelled() else { throw CheckpointFailure("cancelled") }
                try file.write(encoded.stored)
                try onStage?(.chunkWritten, rank)
                records.append((chunk.index, record(chunk, encoded, offset: offset)))
                offset += encoded.stored.count
            }
            if threads == 1 {
                line.work()
            } else {
                DispatchQueue.concurrentPerform(iterations: threads) { _ in line.work() }
            }
            try line.finish()
            try file.synchronizeAndClose()
            try onStage?(.dataSynchronized, rank)
            try onStage?(.ranksReady, rank)
            return WrittenFile(layoutChecksum: try layout.checksum(), file: DataFile(name: name, length: offset), records: records)
        } catch {
            line.fail(error)
            throw error
        }
    }

    private func record(_ chunk: Chunk, _ encoded: ChunkEncoder.Result, offset: Int) -> ChunkRecord {
        ChunkRecord(
            file: rank, offset: offset, storedLength: encoded.stored.count, rawLength: chunk.byteCount,
            encoding: encoded.encoding, storedChecksum: encoded.storedChecksum, rawChecksum: encoded.rawChecksum)
    }
}

extension ChunkLayout {
    /// Of everything that the ranks must agree on.
    func checksum() throws -> Checksum { Checksum(of: Array(try Manifest.header(state: .null, layout: self).canonicalText().utf8)) }
}

extension WrittenFile {
    /// To gather at rank 0.
    func encoded() throws -> [UInt8] {
        let chunks = records.map { JSONValue.object($0.record.json.setting("chunk", .integer($0.chunk))) }
        let value: JSONValue = [
            "layout": .string("\(layoutChecksum)"), "name": .string(file.name), "length": .integer(file.length),
            "chunks": .array(chunks),
        ]
        return Array(try value.canonicalText().utf8)
    }

    init(encoded bytes: [UInt8], rank: Int) throws {
        let location = "rank \(rank)'s list of chunks"
        let reader = JSONNode(value: try JSONValue(parsing: bytes, file: location, options: .exact), file: location)
        self.init(
            layoutChecksum: try reader["layout"].checksum(), file: try DataFile(reading: reader),
            records: try reader["chunks"].elements().map { (try $0["chunk"].natural(), try ChunkRecord(reading: $0)) })
    }
}
