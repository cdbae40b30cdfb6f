import Documents
import TensorCore

/// The two parts of a checkpoint's small document.
package struct CheckpointDocument: Sendable, Equatable {
    /// Counters, cursor, metrics: what resuming needs. Part of the digest, so nothing here may depend on the clock or the
    /// number of ranks.
    package var state: JSONValue
    /// For people: wall-clock times, host names. Not part of the digest.
    package var notes: JSONValue

    package init(state: JSONValue, notes: JSONValue = [:]) {
        self.state = state
        self.notes = notes
    }
}

/// What the manifest says about one chunk.
struct ChunkRecord: Equatable, Sendable {
    /// Index into the manifest's files.
    let file: Int
    let offset: Int
    let storedLength: Int
    let rawLength: Int
    let encoding: ChunkEncoding
    /// Of the bytes in the file.
    let storedChecksum: Checksum
    /// Of the tensor's bytes.
    let rawChecksum: Checksum
}

/// A data file: what one rank wrote.
struct DataFile: Equatable, Sendable {
    let name: String
    let length: Int

    static func name(rank: Int) -> String {
        let digits = String(rank)
        return "rank-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + ".bin"
    }
}

/// Everything about a checkpoint but its tensors' values. See `Manifest+JSON.swift` for its form in a file.
struct Manifest {
    static let formatVersion = 1
    static let fileName = "manifest.json"
    /// One line as `sha256sum` writes it; `sha256sum -c` reads it.
    static let checksumFileName = "manifest.sha256"
    /// A manifest has about 350 bytes per chunk: this is enough for hundreds of gigabytes of state.
    static let maximumLength = 32 << 20

    let step: Int
    let method: String
    let configuration: String
    let document: CheckpointDocument
    let layout: ChunkLayout
    let files: [DataFile]
    /// In the layout's canonical order.
    let records: [ChunkRecord]
    let digest: Checksum

    init(
        step: Int, method: String, configuration: String, document: CheckpointDocument, layout: ChunkLayout,
        stored: (files: [DataFile], records: [ChunkRecord])
    ) throws {
        (self.step, self.method, self.configuration, self.document) = (step, method, configuration, document)
        (self.layout, files, records) = (layout, stored.files, stored.records)
        digest = try Self.digest(state: document.state, layout: layout, records: records)
    }

    var dataBytes: Int { files.reduce(0) { $0 + $1.length } }
    var configurationChecksum: Checksum { Checksum(of: Array(configuration.utf8)) }
}

extension Manifest {
    /// The SHA-256 of the state: of a header (tensor names, types, shapes and pieces, the chunk size, the document's
    /// state, as canonical JSON), then the SHA-256 of each chunk's uncompressed bytes, in canonical order. It is the root
    /// of a two-level Merkle tree over fixed chunks, so that ranks can hash their own chunks: equal digests are equal
    /// bits, whatever number of ranks, compression or library version wrote them. The configuration, the notes and the
    /// step number of the directory are not part of it.
    static func digest(state: JSONValue, layout: ChunkLayout, records: [ChunkRecord]) throws -> Checksum {
        var bytes = Array("amend-state-1\n".utf8)
        bytes += Array(try header(state: state, layout: layout).canonicalText().utf8)
        bytes += [0x0A]
        for record in records { bytes += record.rawChecksum.bytes }
        return Checksum(of: bytes)
    }

    static func header(state: JSONValue, layout: ChunkLayout) -> JSONValue {
        [
            "chunkBytes": .integer(layout.chunkBytes),
            "state": state,
            "tensors": .array(layout.tensors.map { .object($0.json) }),
        ]
    }
}

extension TensorLayout {
    /// As members of a JSON object, in the digest's header and in the manifest.
    var json: JSONObject {
        [
            "name": .string(name),
            "type": .string(elementType.rawValue),
            "shape": .array(shape.map { .integer($0) }),
            "pieces": .array(pieces.map { [.integer($0.lowerBound), .integer($0.upperBound)] }),
        ]
    }
}
