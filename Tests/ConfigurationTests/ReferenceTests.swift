import Configuration
import Editing
import Foundation
import Testing

@Suite struct ReferenceTests {
    @Test func thePageIsWhatTheProgramPrints() throws {
        let page = URL(fileURLWithPath: LoadingTests.quickstart).deletingLastPathComponent().appendingPathComponent("SETTINGS.md")
        #expect(try String(contentsOf: page, encoding: .utf8) == RunConfiguration.referencePage, "amend settings > Configs/SETTINGS.md makes it anew")
    }

    /// Of each method the keys that others have and it has not: refused by name, with who has them.
    @Test(arguments: EditorSettings.all.map { [$0.method.name, $0.mode.rawValue] })
    func keysThatTheMethodDoesNotHaveAreRefused(of method: [String]) throws {
        let all = EditorSettings.all
        let own = try #require(all.first { $0.method.name == method[0] && $0.mode.rawValue == method[1] }).settings.settings.map(\.name)
        let others = Set(all.flatMap { $0.settings.settings.map(\.name) }).subtracting(own)
        #expect(!others.isEmpty)
        for key in others {
            let found = message { try configuration(minimal, "editor.method=\(method[0])", "editor.mode=\(method[1])", "editor.\(key)=1") }
            #expect(throws: Never.self) { try configuration(minimal, "editor.method=\(method[0])", "editor.mode=\(method[1])", "editor.\(key)=null") }
            #expect(found.hasPrefix("editor.\(key): there is no such key; \(method[0]) has "), "\(found)")
            #expect(found.contains(". The keys of editor are \(own.joined(separator: ", ")) (command line: "), "\(found)")
        }
        for key in own where !["method", "mode", "modules", "positions", "contrast_positions", "answer_end", "normalizer", "initialization"].contains(key) {
            let value = key.hasSuffix("_share") ? "0.5" : "1", steps = own.contains("steps") ? ["editor.steps=1"] : []
            #expect(throws: Never.self) {
                try RunConfiguration(
                    text: minimal, source: "", overrides: ["editor.method=\(method[0])", "editor.mode=\(method[1])", "editor.\(key)=\(value)"] + steps)
            }
        }
    }
}
