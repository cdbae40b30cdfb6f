import CZstd

// The gateway to libzstd: every result passes zstdCheck.

/// What libzstd reports when a call fails.
struct ZstandardError: Error, CustomStringConvertible {
    let description: String
}

/// The size that a libzstd function returned, or its error.
private func zstdCheck(_ body: () -> Int) throws -> Int {
    let result = body()
    guard ZSTD_isError(result) == 0 else { throw ZstandardError(description: "zstd: " + String(cString: ZSTD_getErrorName(result))) }
    return result
}

/// A compression context. Not to be used by two threads at once.
final class ZstandardCompressor {
    private let context: OpaquePointer

    /// `level`: zstd's, clamped by it to what it knows. No content checksum: chunks have a SHA-256.
    init(level: Int) throws {
        guard let context = ZSTD_createCCtx() else { throw ZstandardError(description: "zstd: out of memory") }
        self.context = context
        let level = Int32(clamping: level)
        _ = try zstdCheck { ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level) }
        _ = try zstdCheck { ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0) }
    }

    deinit { ZSTD_freeCCtx(context) }

    /// The largest size that `count` bytes can compress to.
    static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// The compressed size; `target` must hold `bound(source.count)` bytes.
    func compress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws -> Int {
        try zstdCheck { ZSTD_compress2(context, target.baseAddress, target.count, source.baseAddress, source.count) }
    }
}

enum Zstandard {
    /// The decompressed size. Never writes more than `target` holds: a frame with more content is an error.
    static func decompress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws -> Int {
        try zstdCheck { ZSTD_decompress(target.baseAddress, target.count, source.baseAddress, source.count) }
    }
}
