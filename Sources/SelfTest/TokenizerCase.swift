import Foundation
import TensorCore
import Tokenization

/// A tokenizer.json, possibly with the files that stand beside one, and texts with the ids they must get. Supported pipelines must agree exactly.
enum TokenizerCase {
    private struct Case: Decodable {
        let text: String
        let ids: [Int32]
        let ids_without_special: [Int32]
        let decoded: String
    }

    static func run(_ directory: String, _ kind: String) throws -> CaseResult.Outcome {
        let path = "\(directory)/tokenizers/\(kind)"
        let tokenizer = try Tokenizer(directory: path)
        guard let data = FileManager.default.contents(atPath: path + "/cases.json") else { throw BadInput(path + "/cases.json", "cannot be read") }
        let cases: [Case]
        do { cases = try JSONDecoder().decode([Case].self, from: data) } catch { throw BadInput(path + "/cases.json", "is not a list of cases") }
        var comparison = Comparison()
        for item in cases {
            let label = "'\(item.text.prefix(20))'"
            comparison.require("ids of \(label)", tokenizer.encode(item.text, addSpecialTokens: true) == item.ids)
            comparison.require("ids without specials of \(label)", tokenizer.encode(item.text, addSpecialTokens: false) == item.ids_without_special)
            let decoded = tokenizer.decode(item.ids_without_special, skipSpecialTokens: false)
            comparison.require("text of \(label)", Array(decoded.utf8) == Array(item.decoded.utf8))
        }
        return comparison.outcome
    }
}
