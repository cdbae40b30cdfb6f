import CKernels
import TensorCore

/// How a chunk's bytes are stored.
enum ChunkEncoding: String, Sendable {
    /// As they are: compression did not help.
    case raw
    /// Byte planes, then zstd.
    case planes = "planes+zstd"
    /// XOR with the reference, byte planes, then zstd.
    case xorPlanes = "xor+planes+zstd"
}

/// A buffer of its own, freed with it.
final class ScratchBuffer {
    let bytes: UnsafeMutableRawBufferPointer
    private static let what = "a chunk of a checkpoint"

    /// For reading. Without memory the process ends: a checkpoint that could not be read for that must not be taken for a damaged one.
    init(count: Int) {
        bytes = UnsafeMutableRawBufferPointer(start: Memory.allocate(bytes: max(count, 1), for: Self.what), count: max(count, 1))
    }

    /// For writing, which fails without ending the run: throws `OutOfMemory`.
    init(trying count: Int) throws {
        bytes = UnsafeMutableRawBufferPointer(start: try Memory.tryToAllocate(bytes: max(count, 1), for: Self.what), count: max(count, 1))
    }

    deinit { bytes.deallocate() }

    func prefix(_ count: Int) -> UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]) }
}

/// Fills a buffer with the seeded initial values of a range of elements.
typealias ReferenceFill = (Range<Int>, UnsafeMutableRawBufferPointer) -> Void

/// Filters and compresses chunks of at most `chunkBytes`; keeps its buffers. One thread at a time.
final class ChunkEncoder {
    private let compressor: ZstandardCompressor
    private let difference: ScratchBuffer  // chunk XOR reference
    private let planes: ScratchBuffer
    private let compressed: ScratchBuffer

    struct Result {
        let encoding: ChunkEncoding
        let rawChecksum: Checksum
        let storedChecksum: Checksum
        /// Valid until the next `encode`, and no longer than the source.
        let stored: UnsafeRawBufferPointer
    }

    init(chunkBytes: Int, level: Int) throws {
        compressor = try ZstandardCompressor(level: level)
        difference = try ScratchBuffer(trying: chunkBytes)
        planes = try ScratchBuffer(trying: chunkBytes)
        compressed = try ScratchBuffer(trying: ZstandardCompressor.bound(chunkBytes))
    }

    func encode(_ source: UnsafeRawBufferPointer, elements: Range<Int>, width: Int, reference: ReferenceFill?) throws -> Result {
        let rawChecksum = Checksum(of: source)
        var filtered = source
        if let reference {
            let buffer = difference.prefix(source.count)
            reference(elements, buffer)
            amend_bytes_xor(source.baseAddress, source.count, buffer.baseAddress)
            filtered = UnsafeRawBufferPointer(buffer)
        }
        let split = planes.prefix(source.count)
        amend_planes_split(filtered.baseAddress, elements.count, width, split.baseAddress)
        let size = try compressor.compress(UnsafeRawBufferPointer(split), into: compressed.bytes)
        guard size < source.count else {
            return Result(encoding: .raw, rawChecksum: rawChecksum, storedChecksum: rawChecksum, stored: source)
        }
        let stored = UnsafeRawBufferPointer(compressed.prefix(size))
        return Result(
            encoding: reference == nil ? .planes : .xorPlanes, rawChecksum: rawChecksum,
            storedChecksum: Checksum(of: stored), stored: stored)
    }
}

/// Undoes `ChunkEncoder`. Needs no more memory than twice the chunk's raw length, whatever the stored bytes say.
struct ChunkDecoder {
    private let planes: ScratchBuffer
    private let reference: ScratchBuffer

    init(chunkBytes: Int) {
        planes = ScratchBuffer(count: chunkBytes)
        reference = ScratchBuffer(count: chunkBytes)
    }

    /// Fills `target` (the chunk's raw length). Throws `BadInput` at `location` if the bytes do not decode to that
    /// length or not to the bytes that were saved.
    ///
    /// Never inlined: Swift 6.3.1 then puts the scratch buffers on the caller's stack and destroys one twice where decompressing throws.
    @inline(never) func decode(
        _ stored: UnsafeRawBufferPointer, of chunk: Chunk, record: ChunkRecord, reference fill: ReferenceFill?,
        into target: UnsafeMutableRawBufferPointer, location: String
    ) throws {
        let elements = chunk.elements
        switch record.encoding {
        case .raw: target.copyMemory(from: stored)
        case .planes, .xorPlanes: try decompress(stored, width: chunk.byteCount / elements.count, into: target, location: location)
        }
        if record.encoding == .xorPlanes {
            guard let fill else { throw BadInput(location, "was saved relative to a seeded initial value, and this run has none") }
            let initial = reference.prefix(target.count)
            fill(elements, initial)
            amend_bytes_xor(initial.baseAddress, initial.count, target.baseAddress)
        }
        guard Checksum(of: UnsafeRawBufferPointer(target)) == record.rawChecksum else {
            let hint = record.encoding == .xorPlanes ? "; was it saved by a run with another seed?" : ""
            throw BadInput(location, "does not decode to the values that were saved" + hint)
        }
    }

    private func decompress(
        _ stored: UnsafeRawBufferPointer, width: Int, into target: UnsafeMutableRawBufferPointer, location: String
    ) throws {
        let split = planes.prefix(target.count)
        let size: Int
        do {
            size = try Zstandard.decompress(stored, into: split)
        } catch {
            throw BadInput(location, "\(error)")
        }
        guard size == target.count else { throw BadInput(location, "decompresses to \(size) bytes, expected \(target.count)") }
        amend_planes_join(split.baseAddress, target.count / width, width, target.baseAddress)
    }
}
