import Foundation
import TestSupport
import Testing
import Tokenization

/// A directory under Fixtures with a tokenizer and what the reference made of some texts.
struct Fixture {
    static let families = ["gpt2", "smollm2", "llama3", "qwen2", "gemma", "mistral"]

    static var components: [String] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("components").path)
        return (names ?? []).sorted().map { "components/\($0)" }
    }

    private static var root: URL {
        (Bundle.module.resourceURL ?? Bundle.module.bundleURL).appendingPathComponent("Fixtures")
    }

    let directory: URL

    init(_ name: String) {
        directory = Self.root.appendingPathComponent(name)
    }

    var tokenizerPath: String { directory.appendingPathComponent("tokenizer.json").path }

    func cases() throws -> [Case] {
        try decode("cases.json")
    }

    func decode<Value: Decodable>(_ file: String, as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(contentsOf: directory.appendingPathComponent(file)))
    }

    struct Case: Decodable {
        let text: String
        let ids: [Int32]
        let ids_without_special: [Int32]?
        let decoded: String?
    }
}

/// A tokenizer.json's vocabulary and merges; fit only for vocabularies without canonically equivalent tokens.
struct PlainVocabulary: Decodable {
    let model: Model

    struct Model: Decodable {
        let vocab: [String: Int]
        let merges: [[String]]
    }

    func gguf(pre: String?) -> GGUFVocabulary {
        let tokens = model.vocab.sorted { $0.value < $1.value }.map(\.key)
        var vocabulary = GGUFVocabulary(
            source: "model.gguf", model: "gpt2", tokens: tokens, tokenTypes: tokens.map { $0.hasPrefix("<|") && $0.hasSuffix("|>") ? 3 : 1 },
            merges: model.merges.map { $0.joined(separator: " ") })
        (vocabulary.pre, vocabulary.beginningOfText, vocabulary.endOfText) = (pre, 1, 0)
        return vocabulary
    }
}

/// What a GGUF file holds of a SentencePiece model.
struct ScoredVocabulary: Decodable {
    let tokens: [String]
    let token_type: [Int32]
    let scores: [Float]
    let bos_token_id: Int32
    let eos_token_id: Int32
    let unknown_token_id: Int32

    func gguf(addSpacePrefix: Bool? = nil) -> GGUFVocabulary {
        var vocabulary = GGUFVocabulary(source: "model.gguf", model: "llama", tokens: tokens, tokenTypes: token_type, scores: scores)
        (vocabulary.beginningOfText, vocabulary.endOfText, vocabulary.unknown) = (bos_token_id, eos_token_id, unknown_token_id)
        vocabulary.addSpacePrefix = addSpacePrefix
        return vocabulary
    }
}

/// Writes a file for as long as `body` runs.
func withTemporaryFile<Result>(_ contents: Data, _ body: (String) throws -> Result) throws -> Result {
    let directory = try TemporaryDirectory()
    return try body(directory.write(contents, to: "tokenizer.json"))
}

func loadTokenizer(_ json: String) throws -> Tokenizer {
    try withTemporaryFile(Data(json.utf8)) { try Tokenizer(contentsOf: $0) }
}

/// `String` comparison would take canonically equivalent texts for equal.
func sameBytes(_ left: String, _ right: String) -> Bool {
    Array(left.utf8) == Array(right.utf8)
}
