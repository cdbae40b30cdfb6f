import Documents
import TensorCore

// manifest.json (format 1):
//   format, step, method, digest, chunkBytes
//   configuration {text, sha256}        document {state, notes}
//   files [{name, length}]              one for each rank that wrote, in rank order
//   tensors [{name, type, shape, pieces [[lower, upper], …], chunks [{file, offset, stored, raw, encoding, sha256,
//             rawSha256}, …]}, …]       chunks in canonical order; the chunks of a file fill it, in order, without gaps

extension Manifest {
    /// The text of manifest.json.
    func json() throws -> [UInt8] {
        let tensors = layout.tensors.indices.map { t in
            let chunks = records[layout.chunksOfTensor[t]].map { JSONValue.object($0.json) }
            return JSONValue.object(layout.tensors[t].json.setting("chunks", .array(chunks)))
        }
        let document: JSONValue = [
            "format": .integer(Self.formatVersion),
            "step": .integer(step),
            "method": .string(method),
            "digest": .string("\(digest)"),
            "chunkBytes": .integer(layout.chunkBytes),
            "configuration": ["text": .string(configuration), "sha256": .string("\(configurationChecksum)")],
            "document": ["state": document.state, "notes": document.notes],
            "files": .array(files.map { ["name": .string($0.name), "length": .integer($0.length)] }),
            "tensors": .array(tensors),
        ]
        let text = Array(try document.prettyText().utf8)
        guard text.count <= Self.maximumLength else {
            throw CheckpointFailure("the manifest has \(text.count) bytes, at most \(Self.maximumLength) can be read: use larger chunks")
        }
        return text
    }

    /// The text of manifest.sha256.
    static func checksumLine(of json: [UInt8]) -> [UInt8] { Array("\(Checksum(of: json))  \(fileName)\n".utf8) }

    /// Parses and checks everything that can be checked without the data files. Throws `BadInput` at `location`.
    init(json text: [UInt8], checksumLine: [UInt8], location: String) throws {
        guard text.count <= Self.maximumLength else {
            throw BadInput(location, "has \(text.count) bytes, at most \(Self.maximumLength) are expected")
        }
        guard checksumLine == Self.checksumLine(of: text) else {
            throw BadInput(location, "does not have the SHA-256 that \(Self.checksumFileName) says: damaged")
        }
        let reader = JSONNode(value: try JSONValue(parsing: text, file: location, options: .exact), file: location)
        let format = try reader["format"].integer()
        guard format == Self.formatVersion else {
            throw BadInput(location, "has format \(format), this program reads format \(Self.formatVersion)")
        }
        let chunkLists = try reader["tensors"].elements().map { try $0["chunks"].elements() }
        let layout = try ChunkLayout(
            tensors: reader["tensors"].elements().map { try TensorLayout(reading: $0) }, chunkBytes: reader["chunkBytes"].integer(),
            limit: chunkLists.reduce(0) { $0 + $1.count }, location: location)
        for (t, list) in chunkLists.enumerated() where list.count != layout.chunksOfTensor[t].count {
            throw BadInput(
                location, "'\(layout.tensors[t].name)' lists \(list.count) chunks, expected \(layout.chunksOfTensor[t].count)")
        }
        let configuration = reader["configuration"]
        let document = reader["document"]
        try self.init(
            step: reader["step"].natural(), method: reader["method"].string(), configuration: configuration["text"].string(),
            document: CheckpointDocument(state: document["state"].require(), notes: document["notes"].require()),
            layout: layout,
            stored: (reader["files"].elements().map { try DataFile(reading: $0) }, chunkLists.joined().map { try ChunkRecord(reading: $0) }))
        try check(
            digest: reader["digest"].checksum(), configuration: configuration["sha256"].checksum(), location: location)
    }

    /// The rules that tie the parts together.
    private func check(digest claimed: Checksum, configuration claimedConfiguration: Checksum, location: String) throws {
        guard claimed == digest else { throw BadInput(location, "the digest is \(claimed), its contents have \(digest)") }
        guard claimedConfiguration == configurationChecksum else {
            throw BadInput(location, "configuration.sha256 is not that of its text")
        }
        for (rank, file) in files.enumerated() where file.name != DataFile.name(rank: rank) {
            throw BadInput(location, "files[\(rank)] is named '\(file.name)', expected '\(DataFile.name(rank: rank))'")
        }
        var ends = Array(repeating: 0, count: files.count)
        for (chunk, record) in zip(layout.chunks, records) {
            let place = "chunk \(chunk.index) of '\(layout.tensors[chunk.tensor].name)'"
            guard record.rawLength == chunk.byteCount else {
                throw BadInput(location, "\(place) has raw length \(record.rawLength), expected \(chunk.byteCount)")
            }
            guard record.encoding == .raw ? record.storedLength == record.rawLength : record.storedLength < record.rawLength,
                record.encoding != .raw || record.storedChecksum == record.rawChecksum
            else { throw BadInput(location, "\(place) does not fit its encoding '\(record.encoding.rawValue)'") }
            guard files.indices.contains(record.file), record.offset == ends[record.file],
                record.storedLength <= files[record.file].length - record.offset
            else { throw BadInput(location, "\(place) lies outside its file or leaves a gap") }
            ends[record.file] += record.storedLength
        }
        for (end, file) in zip(ends, files) where end != file.length {
            throw BadInput(location, "the chunks of \(file.name) end at \(end), its length is \(file.length)")
        }
    }
}

extension ChunkRecord {
    var json: JSONObject {
        [
            "file": .integer(file), "offset": .integer(offset), "stored": .integer(storedLength), "raw": .integer(rawLength),
            "encoding": .string(encoding.rawValue), "sha256": .string("\(storedChecksum)"),
            "rawSha256": .string("\(rawChecksum)"),
        ]
    }

    init(reading reader: JSONNode) throws {
        let name = try reader["encoding"].string()
        guard let encoding = ChunkEncoding(rawValue: name) else { throw reader["encoding"].fail("is '\(name)', which is not known") }
        self.init(
            file: try reader["file"].natural(), offset: try reader["offset"].natural(),
            storedLength: try reader["stored"].natural(), rawLength: try reader["raw"].natural(), encoding: encoding,
            storedChecksum: try reader["sha256"].checksum(), rawChecksum: try reader["rawSha256"].checksum())
    }
}

extension DataFile {
    init(reading reader: JSONNode) throws {
        self.init(name: try reader["name"].string(), length: try reader["length"].natural())
    }
}

extension TensorLayout {
    init(reading reader: JSONNode) throws {
        let type = try reader["type"].string()
        guard let elementType = StateElement(rawValue: type) else { throw reader["type"].fail("is '\(type)', which is not known") }
        let pieces = try reader["pieces"].elements().map { piece in
            let bounds = try piece.elements().map { try $0.natural() }
            guard bounds.count == 2, bounds[0] <= bounds[1] else { throw piece.fail("is not a range") }
            return bounds[0]..<bounds[1]
        }
        try self.init(
            name: reader["name"].string(), shape: reader["shape"].elements().map { try $0.natural() }, elementType: elementType,
            pieces: pieces, location: reader.file)
    }
}
