import Foundation
import Reporting
import TensorCore
import TestSupport
import Testing

/// The log of a run in a directory of its own.
private final class Scratch {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    var path: String { directory.path + "/run/metrics.jsonl" }

    func put(_ text: String) throws {
        try FileManager.default.createDirectory(
            at: directory.url.appendingPathComponent("run"), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    func text() throws -> String { String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self) }

    func files() -> [String] { directory.entries("run") }
}

@Suite struct MetricsLogTests {
    @Test func appendsAcrossOpenings() throws {
        let scratch = try Scratch()
        for batch in 1...3 {
            let log = try MetricsLog(path: scratch.path)
            #expect(log.droppedBytes == 0)
            try log.append(["batch": .integer(batch), "loss": .number(.nan)])
        }
        #expect(try scratch.text() == (1...3).map { "{\"batch\": \($0), \"loss\": null}\n" }.joined())
    }

    @Test(arguments: [
        ("{\"batch\": 1}\n{\"batch\": 2", "{\"batch\": 1}\n", 11), ("{\"ba", "", 4), ("", "", 0), ("\n", "\n", 0),
    ])
    func unfinishedLastLineIsDroppedAndSaid(before: String, after: String, dropped: Int) throws {
        let scratch = try Scratch()
        try scratch.put(before)
        let log = try MetricsLog(path: scratch.path)
        #expect(log.droppedBytes == dropped)
        try log.append(["batch": 9])
        #expect(try scratch.text() == after + "{\"batch\": 9}\n")
    }

    @Test func resumingRemovesWhatComesAfterAndNothingElse() throws {
        let scratch = try Scratch()
        let kept = "{\"event\": \"start\"}\n{\"batch\": 1}\nnot JSON\n{\"batch\": 2, \"x\": \"\\\"batch\\\": 9\"}\n[3]\n"
        try scratch.put(kept + "{\"batch\": 3}\n{\"batch\": 1e3}\n")
        let log = try MetricsLog(path: scratch.path)
        #expect(try log.truncate(after: 2) == 2)
        #expect(try scratch.text() == kept)
        #expect(try log.truncate(after: 2) == 0)
        try log.append(["batch": 3])
        #expect(try scratch.text() == kept + "{\"batch\": 3}\n")
        #expect(scratch.files() == ["metrics.jsonl"])
        #expect(try log.truncate(after: -1) == 3)
    }

    /// More than the reading buffer holds, with lines across its end.
    @Test func longLogsAreCutAtTheRightPlace() throws {
        let scratch = try Scratch()
        let filler = String(repeating: "x", count: 300_000)
        let lines = (1...20).map { "{\"batch\": \($0), \"note\": \"\(filler)\"}\n" }
        try scratch.put(lines.joined())
        let log = try MetricsLog(path: scratch.path)
        #expect(try log.truncate(after: 13) == 7)
        #expect(try scratch.text() == lines[..<13].joined())
    }

    @Test func foreignFilesAndPlacesAreRefused() throws {
        let scratch = try Scratch()
        let foreign = String(repeating: "x", count: MetricsLog.maximumLineBytes + 1)
        try scratch.put(foreign)
        #expect(throws: BadInput.self) { try MetricsLog(path: scratch.path) }
        #expect(try scratch.text() == foreign)
        try scratch.put(foreign + "\n")
        #expect(throws: BadInput.self) { try MetricsLog(path: scratch.path).truncate(after: 0) }
        #expect(scratch.files() == ["metrics.jsonl"])
        #expect(throws: ReportingError.self) { try MetricsLog(path: scratch.path + "/below/a/file") }
        #expect(throws: ReportingError.self) { try MetricsLog(path: scratch.directory.path) }
    }
}
