import TensorCore

/// A checkpoint that was verified, to read the state from.
package struct LoadedCheckpoint {
    private let directory: StepDirectory
    private let manifest: Manifest

    init(directory: StepDirectory, manifest: Manifest) {
        self.directory = directory
        self.manifest = manifest
    }

    /// Edit batches trained when it was taken.
    package var step: Int { manifest.step }
    package var path: String { directory.path }
    package var method: String { manifest.method }
    /// The configuration of the run that wrote it, as text.
    package var configuration: String { manifest.configuration }
    /// SHA-256 of that text, in hexadecimal.
    package var configurationSHA256: String { "\(manifest.configurationChecksum)" }
    package var document: CheckpointDocument { manifest.document }
    /// See `CheckpointInfo.digest`.
    package var digest: String { "\(manifest.digest)" }
    /// In canonical order.
    package var tensors: [TensorLayout] { manifest.layout.tensors }
    /// How many ranks wrote it.
    package var writers: Int { manifest.files.count }

    /// The layout of a tensor, or nil if the checkpoint has none of that name.
    package func tensor(named name: String) -> TensorLayout? { tensors.first { $0.name == name } }

    /// Throws `BadInput` unless the checkpoint holds exactly the tensors of `expected`, with their types and shapes.
    /// Order and pieces may differ.
    package func check(holds expected: [StateTensor]) throws {
        let found = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        for tensor in expected {
            guard let layout = found[tensor.name] else { throw BadInput(path, "has no tensor '\(tensor.name)', which this run needs") }
            try check(layout, is: tensor.elementType, tensor.shape)
        }
        let names = Set(expected.map(\.name))
        if let extra = tensors.first(where: { !names.contains($0.name) }) {
            throw BadInput(path, "has a tensor '\(extra.name)' \(extra.typeAndShape), which this run does not know")
        }
    }

    private func check(_ found: TensorLayout, is elementType: StateElement, _ shape: [Int]) throws {
        guard found.elementType == elementType, found.shape == shape else {
            throw BadInput(
                path, "'\(found.name)' is \(found.typeAndShape), this run expects \(elementType.rawValue) \(shape)")
        }
    }

    /// Reads a range of elements of a tensor of the running state: its name, type, shape and reference are used.
    package func read(tensor: StateTensor, elements: Range<Int>, into target: UnsafeMutableRawPointer) throws {
        if let layout = self.tensor(named: tensor.name) { try check(layout, is: tensor.elementType, tensor.shape) }
        try read(tensor: tensor.name, elements: elements, into: target, reference: tensor.reference)
    }

    /// Reads any range of elements, across pieces and chunks; `target` must have room for them. `reference` must be that
    /// of the saved tensor, if it had one. Only the chunks that overlap are read. Throws `BadInput` if there is no such
    /// tensor or range, or a chunk does not decode to the bytes that were saved (another seed's reference, damage).
    package func read(
        tensor name: String, elements: Range<Int>, into target: UnsafeMutableRawPointer,
        reference: ((Range<Int>, UnsafeMutableRawBufferPointer) -> Void)? = nil
    ) throws {
        guard let index = tensors.firstIndex(where: { $0.name == name }) else {
            throw BadInput(path, "has no tensor '\(name)'")
        }
        let tensor = tensors[index]
        guard elements.lowerBound >= 0, elements.upperBound <= tensor.elementCount else {
            throw BadInput(path, "'\(name)' has \(tensor.elementCount) elements, not \(elements)")
        }
        if elements.isEmpty { return }
        let width = tensor.elementType.width
        let chunks = manifest.layout.chunks(ofTensor: index, overlapping: elements)
        let largest = chunks.lazy.map(\.byteCount).max() ?? 0
        let decoded = ScratchBuffer(count: largest)
        let decoder = ChunkDecoder(chunkBytes: largest)
        let reader = StoredChunkReader(directory: directory, manifest: manifest)
        for chunk in chunks {
            let whole = decoded.prefix(chunk.byteCount)
            try decoder.decode(
                try reader.read(chunk.index), of: chunk, record: manifest.records[chunk.index], reference: reference, into: whole,
                location: "\(path): chunk \(chunk.index) of '\(name)'")
            let wanted = chunk.elements.clamped(to: elements)
            let first = (wanted.lowerBound - chunk.elements.lowerBound) * width
            let part = UnsafeRawBufferPointer(rebasing: whole[first..<first + wanted.count * width])
            let place = target + (wanted.lowerBound - elements.lowerBound) * width
            UnsafeMutableRawBufferPointer(start: place, count: part.count).copyMemory(from: part)
        }
    }
}
