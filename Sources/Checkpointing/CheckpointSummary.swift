import TensorCore

/// What a checkpoint holds, for people: `amend inspect`.
public struct CheckpointSummary: Sendable {
    public struct Tensor: Sendable {
        public let name: String
        public let elementType: StateElement
        public let shape: [Int]
        /// On disk.
        public let bytes: Int
        /// Uncompressed.
        public let rawBytes: Int
        /// bytes / rawBytes; 1 for an empty tensor.
        public var ratio: Double { rawBytes == 0 ? 1 : Double(bytes) / Double(rawBytes) }
    }

    /// The checkpoint's directory.
    public let path: String
    public let method: String
    /// Edit batches trained when it was taken.
    public let batches: Int
    /// See `CheckpointInfo.digest`.
    public let digest: String
    /// On disk, the manifest included.
    public let bytes: Int
    /// Of the tensors, uncompressed.
    public let rawBytes: Int
    /// The format's version.
    public let format: Int
    /// The configuration of the run, as text.
    public let configuration: String
    public let document: CheckpointDocument
    /// How many ranks wrote it.
    public let writers: Int
    public let tensors: [Tensor]

    /// Of one checkpoint's directory, or of the newest valid checkpoint in a directory of them. Every chunk's SHA-256 is
    /// compared. Throws `BadInput` if the checkpoint is damaged or there is none; `report` gets one line for each that
    /// is skipped.
    public static func read(path: String, report: (String) -> Void = { _ in }) throws -> CheckpointSummary {
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
