import Checkpointing
import Crypto
import Foundation
import TensorCore
import TestSupport
import Testing

/// Steps 10 and 20 in a directory, of different states; 20 is then damaged.
private struct TwoCheckpoints {
    let directory: TemporaryDirectory
    let old = SampleState(trained: 1)
    let new = SampleState(trained: 2)

    init(ranks: Int = 2) throws {
        directory = try TemporaryDirectory()
        _ = try save(old, step: 10, ranks: ranks, options: sampleOptions(directory.path))[0].get()
        _ = try save(new, step: 20, ranks: ranks, options: sampleOptions(directory.path))[0].get()
    }

    func path(_ name: String, step: Int = 20) -> String { "\(directory.path)/step-000000\(step)/\(name)" }

    func edit(_ name: String, _ change: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: path(name)))
        change(&data)
        try data.write(to: URL(fileURLWithPath: path(name)))
    }

    /// Changes the manifest's text and gives it a matching SHA-256, as someone with bad intentions would.
    func forge(_ pattern: String, _ replacement: String) throws {
        try edit("manifest.json") { data in
            let text = String(decoding: data, as: UTF8.self)
            guard let range = text.range(of: pattern, options: .regularExpression) else {
                Issue.record("the manifest has no \(pattern)")
                return
            }
            data = Data(text.replacingCharacters(in: range, with: replacement).utf8)
        }
        try sign()
    }

    func sign() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path("manifest.json")))
        let digits = SHA256.hash(data: data).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        try Data("\(digits)  manifest.json\n".utf8).write(to: URL(fileURLWithPath: path("manifest.sha256")))
    }

    /// Loads with `ranks` ranks: it must be step 10, and exactly one line must say why 20 was skipped.
    func expectFallback(_ reason: String, ranks: Int = 2, _ location: SourceLocation = #_sourceLocation) throws {
        let report = Lines()
        let loaded = try #require(try loadNewest(directory.path, like: old, ranks: ranks, report: report), sourceLocation: location)
        #expect(loaded.step == 10, sourceLocation: location)
        #expect(loaded.values == old.values, sourceLocation: location)
        #expect(report.all.count == 1, "\(report.all)", sourceLocation: location)
        #expect(report.text.hasPrefix("step-00000020: "), "\(report.text)", sourceLocation: location)
        #expect(report.text.contains(reason), "\(report.text)", sourceLocation: location)
        #expect(report.text.hasSuffix(": skipped"), "\(report.text)", sourceLocation: location)
        let error = #expect(throws: BadInput.self, sourceLocation: location) {
            try CheckpointSummary.read(path: String(path("").dropLast()))
        }
        #expect(error?.description.contains(reason) == true, sourceLocation: location)
        #expect(try CheckpointSummary.read(path: directory.path).batches == 10, sourceLocation: location)
    }
}

@Suite struct DamageTests {
    @Test func truncatedDataFile() throws {
        let two = try TwoCheckpoints()
        try two.edit("rank-0001.bin") { $0.removeLast(3) }
        try two.expectFallback("rank-0001.bin is ")
    }

    @Test func missingFiles() throws {
        for name in ["rank-0001.bin", "manifest.json", "manifest.sha256"] {
            let two = try TwoCheckpoints()
            try FileManager.default.removeItem(atPath: two.path(name))
            if name == "manifest.json" {
                let report = Lines()
                #expect(try loadNewest(two.directory.path, like: two.old, report: report)?.step == 10)
                #expect(report.all == ["step-00000020: manifest.json is missing: skipped"])
            } else {
                try two.expectFallback("\(name) is missing")
            }
        }
    }

    @Test func flippedBitInData() throws {
        for position in [0.0, 0.37, 0.9999] {
            for ranks in [1, 2, 3] {
                let two = try TwoCheckpoints()
                try two.edit("rank-0000.bin") { $0[Int(Double($0.count) * position)] ^= 0x10 }
                try two.expectFallback("rank-0000.bin, bytes ", ranks: ranks)
            }
        }
    }

    @Test func flippedBitInManifest() throws {
        for position in stride(from: 0.0, to: 1, by: 0.09) {
            let two = try TwoCheckpoints()
            try two.edit("manifest.json") { $0[Int(Double($0.count) * position)] ^= 0x04 }
            try two.expectFallback("damaged")
        }
        let two = try TwoCheckpoints()
        try two.edit("manifest.sha256") { $0[5] ^= 1 }
        try two.expectFallback("damaged")
    }

    @Test func linksAreNotFollowed() throws {
        let two = try TwoCheckpoints()
        let target = two.directory.path + "/elsewhere"
        try FileManager.default.moveItem(atPath: two.path("rank-0000.bin"), toPath: target)
        try FileManager.default.createSymbolicLink(atPath: two.path("rank-0000.bin"), withDestinationPath: target)
        try two.expectFallback("opening ")
    }

    @Test(arguments: [
        // what, by what, what the message must say
        (#""format": 1"#, #""format": 2"#, "has format 2, this program reads format 1"),
        (#""name": "rank-0001.bin""#, #""name": "../step-00000010/rank-0001.bin""#, "files[1] is named '../step-00000010/rank-0001.bin'"),
        (#""stored": \d+"#, #""stored": 9223372036854775807"#, "does not fit its encoding"),
        (#""offset": 0"#, #""offset": 9223372036854775807"#, "lies outside its file or leaves a gap"),
        (#""file": 0"#, #""file": 7"#, "lies outside its file"),
        (#""raw": 512"#, #""raw": 4611686018427387904"#, "has raw length 4611686018427387904, expected 512"),
        (#""raw": 512"#, #""raw": -1"#, "is -1, expected 0 or more"),
        (#""raw": 512"#, #""raw": 5e99"#, "expected an integer, found a number"),
        (#""chunkBytes": 512"#, #""chunkBytes": 1099511627776"#, "chunkBytes is 1099511627776"),
        (#""chunkBytes": 512"#, #""chunkBytes": 0"#, "chunkBytes is 0"),
        (#""chunkBytes": 512"#, #""chunkBytes": 1024"#, "chunks, expected"),
        (#""shape": \[64, 50\]"#, #""shape": [4611686018427387904, 4611686018427387904]"#, "impossible shape"),
        (#""shape": \[64, 50\]"#, #""shape": [64, 51]"#, "cover 3200 elements"),
        (#"\[0, 3200\]"#, #"[0, 9000000000000000]"#, "cover 9000000000000000 elements"),
        (#"\[0, 3200\]"#, #"[3200, 0]"#, "is not a range"),
        (#""type": "f32""#, #""type": "f16""#, "is 'f16', which is not known"),
        (#""encoding": "[a-z+]*""#, #""encoding": "lzma""#, "is 'lzma', which is not known"),
        (#""sha256": "[0-9a-f]{3}"#, #""sha256": "xyz"#, "is not a SHA-256"),
        (#""digest": "[0-9a-f]{64}""#, #""digest": "\#(String(repeating: "0", count: 64))""#, "the digest is 000"),
        (#""text": "run"#, #""text": "ruin"#, "configuration.sha256"),
        (#""step": 20"#, #""step": 21"#, "its manifest is that of step 21"),
        (#""method": "emsedit","#, "", "method: expected a string, found nothing"),
        (#""name": "moments.mean""#, #""name": "cursor""#, "two tensors are named 'cursor'"),
    ])
    func hostileManifest(_ pattern: String, _ replacement: String, _ reason: String) throws {
        let two = try TwoCheckpoints()
        try two.forge(pattern, replacement)
        if pattern.contains("step") {
            let report = Lines()
            #expect(try loadNewest(two.directory.path, like: two.old, report: report)?.step == 10)
            #expect(report.text.contains(reason))
        } else {
            try two.expectFallback(reason)
        }
    }

    @Test func hugeShapesWithHugePiecesAreRefusedQuickly() throws {
        let two = try TwoCheckpoints()
        try two.forge(#""shape": \[64, 50\]"#, #""shape": [9000000000000000]"#)
        try two.forge(#"\[0, 3200\]"#, #"[0, 9000000000000000]"#)
        try two.expectFallback("needs more than the")
    }

    /// A chunk whose stored bytes and checksums fit each other, but whose zstd frame holds far more than a chunk.
    @Test func decompressionBombsAreRefused() throws {
        let two = try TwoCheckpoints(ranks: 1)
        // Frame header with a window of 128 MiB, then RLE blocks of 128 KiB each: never more than the chunk is produced.
        let block: [UInt8] = [0x02, 0x00, 0x10, 0x00]
        var bomb: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x88]
        for _ in 0..<20 { bomb += block }
        try two.replaceFirstChunk(with: bomb)
        let loaded = try #require(try CheckpointReader(directory: two.directory.path) { _ in }.newest(exchange: SingleProcess()))
        #expect(loaded.step == 20, "its checksums are right")
        let error = #expect(throws: BadInput.self) { try read(loaded, two.new.tensors(rank: 0, of: 1)[0]) }
        #expect(error?.problem.contains("zstd") == true)
    }

    @Test func anEmptyOrMissingDirectoryHasNoCheckpoint() throws {
        let directory = try TemporaryDirectory()
        let state = SampleState()
        #expect(try loadNewest(directory.path, like: state) == nil)
        #expect(try loadNewest(directory.path + "/none", like: state, ranks: 2) == nil)
        try FileManager.default.createDirectory(atPath: directory.path + "/step-00000007", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: directory.path + "/step-7", withIntermediateDirectories: true)
        let report = Lines()
        #expect(try loadNewest(directory.path, like: state, report: report) == nil)
        #expect(report.all == ["step-00000007: manifest.json is missing: skipped"])
    }
}

extension TwoCheckpoints {
    /// Puts `bytes` in the place of step 20's first chunk, which must be longer, padded with what zstd skips; signs all.
    fileprivate func replaceFirstChunk(with bytes: [UInt8]) throws {
        let text = try String(contentsOfFile: path("manifest.json"), encoding: .utf8)
        let pattern = #/\{"encoding": "xor\+planes\+zstd", "file": 0, "offset": 0, "raw": 512, "rawSha256": "\w+", "sha256": "(\w+)", "stored": (\d+)\}/#
        let match = try #require(try pattern.firstMatch(in: text))
        let stored = try #require(Int(match.2))
        let padding = stored - bytes.count - 8
        try #require(padding >= 0)
        // A skippable frame: magic, length, anything.
        let chunk = bytes + [0x50, 0x2A, 0x4D, 0x18] + (0..<4).map { UInt8(padding >> (8 * $0) & 0xFF) } + [UInt8](repeating: 0, count: padding)
        try edit("rank-0000.bin") { $0.replaceSubrange(0..<stored, with: chunk) }
        let digits = SHA256.hash(data: chunk).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        try edit("manifest.json") { $0 = Data(text.replacingOccurrences(of: match.1, with: digits).utf8) }
        try sign()
    }
}
