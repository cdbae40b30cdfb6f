import Foundation
import TestSupport
import Testing
import Tokenization
import Transformer
import WeightFiles

/// The tokens of odd strings and the text that tokens stand for, by Hugging Face's implementation, from both formats of two models; see
/// make_odd_strings.py.
@Suite struct OddStringTests {
    struct Subject: Sendable, CustomTestStringConvertible {
        let model: String, file: String
        let isDirectory: Bool
        var testDescription: String { "\(model), \(isDirectory ? "directory" : "GGUF")" }
    }

    private struct Case {
        struct Tokens: Decodable {
            let ids: [Int32]
            /// With special tokens and without.
            let decoded: String, plain: String
        }
        let text: String
        let tokens: Tokens
    }

    static let subjects = [false, true].flatMap { isDirectory in
        [("smollm2-135m", "SmolLM2-135M-Instruct.Q4_1.gguf"), ("gemma-3-270m", "gemma-3-270m-q4_k_m.gguf")].map {
            Subject(model: $0, file: $1, isDirectory: isDirectory)
        }
    }

    private func cases(_ model: String) throws -> [Case] {
        struct Line: Decodable {
            let text: String
            let smollm2: Case.Tokens, gemma3: Case.Tokens
            enum CodingKeys: String, CodingKey {
                case text, smollm2 = "smollm2-135m", gemma3 = "gemma-3-270m"
            }
        }
        let fixture = try #require(Bundle.module.url(forResource: "Fixtures/odd-strings", withExtension: "json"))
        return try JSONDecoder().decode([Line].self, from: Data(contentsOf: fixture)).map {
            Case(text: $0.text, tokens: model.hasPrefix("smollm2") ? $0.smollm2 : $0.gemma3)
        }
    }

    @Test(arguments: subjects) func agreesWithHuggingFace(subject: Subject) throws {
        let path = try fetchedModel(subject.model, subject.file).path
        let directory = try subject.isDirectory ? TokenizerDirectory(of: GGUFFile(path: path), pieces: subject.model.hasPrefix("gemma")) : nil
        let tokenizer = try ModelSource(directory?.path ?? path).loadTokenizer()
        #expect(tokenizer.notes.isEmpty)
        let cases = try cases(subject.model)
        #expect(cases.count > 300)
        for item in cases {
            let label = item.text.unicodeScalars.map { $0.escaped(asASCII: true) }.joined()
            #expect(tokenizer.encode(item.text, addSpecialTokens: true) == item.tokens.ids, "'\(label)'")
            for (skips, expected) in [(false, item.tokens.decoded), (true, item.tokens.plain)] {
                let decoded = tokenizer.decode(item.tokens.ids, skipSpecialTokens: skips)
                #expect(Array(decoded.utf8) == Array(expected.utf8), "'\(label)', the text of its tokens: \(decoded.debugDescription)")
            }
        }
    }
}
