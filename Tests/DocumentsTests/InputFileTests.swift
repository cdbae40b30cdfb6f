import Documents
import Foundation
import TensorCore
import Testing

@Suite struct InputFileTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent("input-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) }

    private func path(_ name: String, _ text: String? = nil) throws -> String {
        let file = directory.appendingPathComponent(name)
        try text.map { try Data($0.utf8).write(to: file) }
        return file.path
    }

    private func failure(_ path: String, atMost limit: Int = 100) -> String {
        do {
            return "no error, but \(try InputFile.read(path, atMost: limit, what: "a page").count) bytes"
        } catch {
            return "\(error)"
        }
    }

    @Test func readsToTheLimit() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        for size in [0, 1, 99, 100] {
            #expect(try InputFile.read(path("\(size)", String(repeating: "x", count: size)), atMost: 100, what: "a page").count == size)
        }
        #expect(try failure(path("101", String(repeating: "x", count: 101))).hasSuffix("is larger than 100 bytes, the most that a page may have"))
    }

    @Test func saysWhatIsWrong() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        #expect(try failure(path("none")).hasSuffix("none: there is no such file; expected a page"))
        #expect(failure(directory.path).hasSuffix("is a directory; expected a page"))
        #expect(failure("/dev/zero").hasSuffix("is larger than 100 bytes, the most that a page may have"))
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "0", count: 64))\nsize 12345\n"
        #expect(try failure(path("lfs", pointer), atMost: 1000).contains("Git LFS"))
        #expect(!failure("a\nb").contains("\n"))
    }

    /// A pipe gives its bytes in pieces, and its end is not that of a piece.
    @Test(arguments: [0, 1, 70_000, 300_000]) func readsPipesToTheirEnd(size: Int) throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let pipe = try path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let writer = Thread {
            guard let file = FileHandle(forWritingAtPath: pipe) else { return }
            for start in stride(from: 0, to: bytes.count, by: 10_007) {
                try? file.write(contentsOf: bytes[start..<min(bytes.count, start + 10_007)])
                usleep(200)
            }
            try? file.close()
        }
        writer.start()
        #expect(try InputFile.read(pipe, atMost: 400_000, what: "a page") == bytes)
    }

    @Test func quotesWhatUsersWrote() {
        #expect(quoted("a\nb\u{0}é") == "'a\\nb\\0é'")
        #expect(quoted(String(repeating: "x", count: 101)) == "'" + String(repeating: "x", count: 100) + "…'")
        #expect(oneLine("a\u{2028}b") == "a\\u{2028}b" && oneLine("abcdef", atMost: 4) == "ab…ef")
    }
}
