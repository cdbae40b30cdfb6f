import TensorCore

extension StepDirectory {
    /// The manifest, and its text, if it and the presence and length of all files are right. Throws `BadInput`.
    func readManifest() throws -> (Manifest, text: [UInt8]) {
        let text = try read(Manifest.fileName, limit: Manifest.maximumLength)
        let checksumLine = try read(Manifest.checksumFileName, limit: 1024)
        let manifest = try Manifest(json: text, checksumLine: checksumLine, location: "\(label): \(Manifest.fileName)")
        for file in manifest.files {
            let length = try open(file.name).length()
            guard length == file.length else {
                throw BadInput(label, "\(file.name) is \(length) bytes, the manifest says \(file.length)")
            }
        }
        return (manifest, text)
    }

    private func read(_ name: String, limit: Int) throws -> [UInt8] {
        do {
            return try FileSystem.read(path + "/" + name, limit: limit)
        } catch let error as FileError {
            throw missing(name, error)
        }
    }

    /// A file of the checkpoint, by a name that the manifest's checks have passed.
    func open(_ name: String) throws -> File {
        do {
            return try File(reading: path + "/" + name)
        } catch let error as FileError {
            throw missing(name, error)
        }
    }

    private func missing(_ name: String, _ error: FileError) -> BadInput {
        BadInput(label, error.isMissing ? "\(name) is missing" : "\(error)")
    }

    /// Compares the SHA-256 of the stored bytes of one of `shares` contiguous parts of the chunks. Throws `BadInput`.
    func verifyChunks(of manifest: Manifest, share: Int, of shares: Int) throws {
        let count = manifest.records.count
        let reader = StoredChunkReader(directory: self, manifest: manifest)
        for index in count * share / shares..<count * (share + 1) / shares { _ = try reader.read(index) }
    }
}

/// Reads and checks chunks as they are stored; keeps the files open, and one buffer.
final class StoredChunkReader {
    private let directory: StepDirectory
    private let manifest: Manifest
    private var files: [Int: File] = [:]
    private let buffer: ScratchBuffer

    init(directory: StepDirectory, manifest: Manifest) {
        self.directory = directory
        self.manifest = manifest
        buffer = ScratchBuffer(count: manifest.records.lazy.map(\.storedLength).max() ?? 0)
    }

    /// The stored bytes, valid until the next call. Throws `BadInput` unless they have their SHA-256.
    func read(_ index: Int) throws -> UnsafeRawBufferPointer {
        let record = manifest.records[index]
        let target = buffer.prefix(record.storedLength)
        let name = manifest.files[record.file].name
        let tensor = manifest.layout.tensors[manifest.layout.chunks[index].tensor].name
        let place = "\(name), bytes \(record.offset)..<\(record.offset + record.storedLength) (chunk \(index), '\(tensor)')"
        let isComplete: Bool
        do {
            isComplete = try file(record.file).read(into: target, at: record.offset)
        } catch let error as FileError {
            throw BadInput(directory.label, "\(error)")
        }
        guard isComplete else { throw BadInput(directory.label, "\(place): the file ends before") }
        let stored = UnsafeRawBufferPointer(target)
        guard Checksum(of: stored) == record.storedChecksum else {
            throw BadInput(directory.label, "\(place): damaged, the SHA-256 is not the manifest's")
        }
        return stored
    }

    private func file(_ index: Int) throws -> File {
        if let file = files[index] { return file }
        let file = try directory.open(manifest.files[index].name)
        files = [index: file]  // one at a time: a manifest may list thousands
        return file
    }
}
