import Configuration
import Foundation
import Settings
import TestSupport
import Testing

@Suite struct HostileInputTests {
    /// Aliases that stand for billions of values, deep nesting, and long tokens: each refused, in bounded time, in one line.
    @Test(.timeLimit(.minutes(1)))
    func hostileTextIsRefusedInShortTime() {
        var laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        for level in 1...30 {
            laughs += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]\n"
        }
        let texts = [
            laughs, laughs + "? *a30\n: 1\n",
            String(repeating: "[", count: 1 << 20), String(repeating: "{a: ", count: 1 << 18),
            String(repeating: "- ", count: 1 << 19), String(repeating: "? ", count: 1 << 19),
            "run: {seed: \(String(repeating: "9", count: 1 << 19))}", "run: {\(String(repeating: "a", count: 1 << 19)): 1}",
            "editor: {meta_learning_rate: 1e\(String(repeating: "9", count: 1 << 19))}",
            (0..<60_000).map { "key\($0): 1\n" }.joined(),
            String(repeating: "\"", count: 1 << 20), String(repeating: "&a ", count: 1 << 18), "run: \0",
            "run: {seed: 1}\n...\n%YAML 9.9\n---\n", "%TAG ! tag:x,2000:\n--- !y\nrun: 1", "\u{FEFF}\u{FEFF}", "--- |\n x",
        ]
        for text in texts {
            let found = message { try configuration(text) }
            #expect(!found.hasPrefix("no error"), "accepted: \(text.prefix(40))")
            #expect(found.utf8.count < 1000 && !found.contains("\n"), "\(text.prefix(40)) gave: \(found.prefix(2000))")
        }
        let deep = String(repeating: "a.", count: 1 << 16) + "a=1"
        #expect(message { try configuration(minimal, deep) }.contains("expected a key path"))
    }

    /// Whatever is done to a valid file, it is read or refused; it never traps.
    @Test func damagedConfigurationsNeverTrap() throws {
        let intact = Array(try Data(contentsOf: URL(fileURLWithPath: LoadingTests.quickstart)))
        let snippets = [
            "&a", "*a", "!!int ", "{", "]", "\n", ": ", "\"", "'", "|\n", "\u{0}", "\u{2028}", "-", "99999999999999999999",
            "~", "<<: ",
        ]
        var generator = RandomBits(state: 7)
        var accepted = 0
        for _ in 0..<400 {
            var bytes = intact
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + 9))
                case 2: bytes.insert(contentsOf: snippets.randomElement(using: &generator)!.utf8, at: place)
                default: bytes.removeSubrange(place...)
                }
                if bytes.isEmpty { bytes = [0x0A] }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            do {
                let read = try configuration(text)
                #expect(try configuration(read.canonicalText) == read)
                accepted += 1
            } catch {
                #expect(error is ConfigurationError)
            }
        }
        #expect(accepted > 20, "only \(accepted) were read: the damage is too great to test reading")
    }
}
