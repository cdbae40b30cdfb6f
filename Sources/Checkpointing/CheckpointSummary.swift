import TensorCore

/// What a checkpoint holds, for people: `amend inspect`.
package struct CheckpointSummary: Sendable {
    package struct Tensor: Sendable {
        package let name: String
        package let elementType: StateElement
        package let shape: [Int]
        /// On disk.
        package let bytes: Int
        /// Uncompressed.
        package let rawBytes: Int
        /// bytes / rawBytes; 1 for an empty tensor.
        package var ratio: Double { rawBytes == 0 ? 1 : Double(bytes) / Double(rawBytes) }
    }

    /// The checkpoint's directory.
    package let path: String
    package let method: String
    /// Edit batches trained when it was taken.
    package let batches: Int
    /// See `CheckpointInfo.digest`.
    package let digest: String
    /// On disk, the manifest included.
    package let bytes: Int
    /// Of the tensors, uncompressed.
    package let rawBytes: Int
    /// The format's version.
    package let format: Int
    /// The configuration of the run, as text.
    package let configuration: String
    package let document: CheckpointDocument
    /// How many ranks wrote it.
    package let writers: Int
    package let tensors: [Tensor]

    /// Of one checkpoint's directory, or of the newest valid checkpoint in a directory of them. Every chunk's SHA-256 is
    /// compared. Throws `BadInput` if the checkpoint is damaged or there is none; `report` gets one line for each that
    /// is skipped.
    package static func read(path: String, report: (String) -> Void = { _ in }) throws -> CheckpointSummary {
        guard FileSystem.isDirectory(path) else { throw BadInput(path, "is not a directory of checkpoints") }
        if FileSystem.exists(path + "/" + Manifest.fileName) {
            return try CheckpointSummary(verifying: StepDirectory(path: path, label: path))
        }
        for step in try StepDirectory.steps(in: path).reversed() {
            do {
                return try CheckpointSummary(verifying: StepDirectory(parent: path, step: step))
            } catch {
                report("\(error): skipped")
            }
        }
        throw BadInput(path, "holds no valid checkpoint")
    }

    private init(verifying directory: StepDirectory) throws {
        let (manifest, text) = try directory.readManifest()
        try directory.verifyChunks(of: manifest, share: 0, of: 1)
        path = directory.path
        method = manifest.method
        batches = manifest.step
        digest = "\(manifest.digest)"
        bytes = manifest.dataBytes + text.count + Manifest.checksumLine(of: text).count
        rawBytes = manifest.layout.rawBytes
        format = Manifest.formatVersion
        configuration = manifest.configuration
        document = manifest.document
        writers = manifest.files.count
        tensors = manifest.layout.tensors.enumerated().map { t, tensor in
            let stored = manifest.records[manifest.layout.chunksOfTensor[t]].reduce(0) { $0 + $1.storedLength }
            return Tensor(
                name: tensor.name, elementType: tensor.elementType, shape: tensor.shape, bytes: stored,
                rawBytes: tensor.byteCount)
        }
    }
}
