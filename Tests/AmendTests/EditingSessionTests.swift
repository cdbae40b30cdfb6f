import Amend
import Foundation
import TestSupport
import Testing

/// The library, in a process of its own: it starts the process's threads.
@Suite struct EditingSessionTests {
    @Test func trainsBeforeItEdits() async {
        await #expect(processExitsWith: .success) {
            let temporary = try TemporaryDirectory(), directory = temporary.url
            try TinyFiles.write(to: directory)
            let configuration = directory.appendingPathComponent("run.yaml").path, edits = [Edit("aab", "q")]
            func open() throws -> EditingSession { try EditingSession(EditorSource(configuration: configuration, settings: ["run.compute=auto"]), threads: 1) }

            let session = try open(), before = try session.continuation(of: "aab").tokens
            let error = #expect(throws: (any Error).self) { try session.edit(edits) }
            #expect("\(String(describing: error))".contains("holds no checkpoint; train first"))
            try session.train()
            try session.edit(edits)
            let after = session.model.edited.map { $0.edit.materialized().elements }
            #expect(session.editCount == 1 && after.joined().contains { $0 != 0 })
            session.takeBack()
            #expect(try session.editCount == 0 && session.continuation(of: "aab").tokens == before)

            let again = try open()  // with what has been trained
            try again.edit(edits)
            #expect(again.model.edited.map { $0.edit.materialized().elements } == after)
        }
    }

    @Test func editsAtOnceWhereNothingIsTrained() async {
        await #expect(processExitsWith: .success) {
            let temporary = try TemporaryDirectory(), directory = temporary.url
            try TinyFiles.write(to: directory)
            let source = try EditorSource(model: directory.appendingPathComponent("model").path, method: "ultraedit", modules: TinyFiles.modules)
            let session = try EditingSession(source, threads: 1)
            try session.edit([Edit("aab", "q"), Edit("baa", "rs")])
            #expect(session.editCount == 2 && session.model.edited.contains { !$0.edit.isEmpty })
        }
    }
}
