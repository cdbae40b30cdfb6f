import Foundation
import TensorCore
import TestSupport
import Testing
import Tokenization

/// What the files beside a tokenizer.json change, by transformers; see Fixtures/make_settings.py.
@Suite struct SettingsTests {
    private func cases() throws -> [[String: Any]] {
        let data = try Data(contentsOf: Fixture("settings").directory.appendingPathComponent("cases.json"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    }

    /// Runs `body` on a directory with the tokenizer.json of a fixture, some of its parts replaced, and these files beside it.
    private func withDirectory<Result>(
        _ fixture: String, changes: [String: Any] = [:], _ files: [String: Any], _ body: (String) throws -> Result
    ) throws -> Result {
        let temporary = try TemporaryDirectory(), directory = temporary.url
        var files = files
        if !changes.isEmpty {
            let own = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: Fixture(fixture).tokenizerPath)))
            files["tokenizer.json"] = (own as? [String: Any])?.merging(changes) { $1 }
        } else {
            try FileManager.default.copyItem(atPath: Fixture(fixture).tokenizerPath, toPath: directory.appendingPathComponent("tokenizer.json").path)
        }
        for (name, content) in files {  // new tokens get ids in the order of keys
            try JSONSerialization.data(withJSONObject: content, options: [.fragmentsAllowed, .sortedKeys]).write(to: directory.appendingPathComponent(name))
        }
        return try body(directory.path)
    }

    @Test func agreesWithTransformers() throws {
        let cases = try cases()
        #expect(cases.count > 140)
        for item in cases {
            let name = item["name"] as? String ?? "", texts = item["texts"] as? [String] ?? []
            let ids = try #require(item["ids"] as? [[Int]])
            try withDirectory(item["of"] as? String ?? "", changes: item["changes"] as? [String: Any] ?? [:], item["files"] as? [String: Any] ?? [:]) { directory in
                let tokenizer = try Tokenizer(directory: directory)
                for (text, expected) in zip(texts, ids) {
                    #expect(tokenizer.encode(text, addSpecialTokens: true).map(Int.init) == expected, "\(name): \(text.debugDescription)")
                }
            }
        }
    }

    /// A flag that says otherwise than the post-processor has no effect, as in transformers, but is not passed over.
    @Test(
        arguments: [
            ("llama3", ["bos_token": "<|begin_of_text|>", "add_bos_token": true], nil),
            (
                "llama3", ["bos_token": "<|begin_of_text|>", "add_bos_token": false],
                "add_bos_token is false, but the post-processor of tokenizer.json puts that token before"
            ),
            ("llama3", ["add_bos_token": false], "add_bos_token is false, but"),
            (
                "llama3", ["eos_token": "<|endoftext|>", "add_eos_token": true],
                "add_eos_token is true, but the post-processor of tokenizer.json puts no such token after"
            ),
            ("qwen2", ["add_bos_token": false], nil),
            ("qwen2", ["bos_token": "<|begin_of_text|>", "add_bos_token": true], "add_bos_token is true, but"),
            ("gpt2", ["add_prefix_space": true], nil),
            ("llama3", ["add_prefix_space": true], "add_prefix_space is true, in tokenizer.json it is false; tokenizer.json counts"),
            ("llama3", ["tokenizer_class": "LlamaTokenizerFast"], nil),
            (
                "smollm2", ["tokenizer_class": "GPT2Tokenizer"],
                "the class GPT2Tokenizer cut text otherwise than tokenizer.json says (Digits(individual) ByteLevel(words))"
            ),
            ("smollm2", ["tokenizer_class": "PreTrainedTokenizerFast"], nil),
            ("gpt2", ["tokenizer_class": "GPT2TokenizerFast"], nil),
            ("qwen2", ["tokenizer_class": "Qwen2Tokenizer"], nil),
            ("gemma", ["tokenizer_class": "GemmaTokenizer"], nil),
            ("mistral", ["tokenizer_class": "LlamaTokenizer"], nil),
            ("llama3", ["added_tokens_decoder": [String: String]()], nil),
            (
                "gpt2", ["added_tokens_decoder": [String: String]()],
                "added_tokens_decoder lacks 1 of the added tokens of tokenizer.json, '<|begin_of_text|>' for one; "
                    + "transformers 5 lets the class GPT2Tokenizer know none of them"
            ),
        ] as [(String, [String: any Sendable], String?)])
    func saysWhatContradicts(fixture: String, settings: [String: any Sendable], note: String?) throws {
        let modelType = ["llama3": "llama", "gemma": "gemma2", "smollm2": "llama"][fixture] ?? fixture
        try withDirectory(fixture, ["tokenizer_config.json": settings, "config.json": ["model_type": modelType]]) { directory in
            let notes = try Tokenizer(directory: directory).notes
            #expect(notes.count == (note == nil ? 0 : 1), "\(notes)")
            if let note {
                #expect(notes.first?.hasPrefix(directory + "/tokenizer_config.json: ") == true && notes.first?.contains(note) == true, "\(notes)")
            }
        }
    }

    @Test(
        arguments: [
            (["split_special_tokens": true], "tokenizer_config.json, split_special_tokens: true is not supported"),
            (["fix_mistral_regex": true], "tokenizer_config.json, fix_mistral_regex: true is not supported"),
            (["fast_tokenizer_files": ["tokenizer.json", "tokenizer.4.json"]], "tokenizer_config.json, fast_tokenizer_files: names other files"),
            (["add_bos_token": "yes"], "tokenizer_config.json, add_bos_token: expected true or false, found a string"),
            (["bos_token": 3], "tokenizer_config.json, bos_token: expected an object, found an integer"),
            (["bos_token": ["text": "x"]], "tokenizer_config.json, bos_token: has no 'content'"),
            (["added_tokens_decoder": ["x": ["content": "y"]]], "added_tokens_decoder.x: expected an id for the name"),
            (["added_tokens_decoder": ["1": ["content": 4]]], "added_tokens_decoder.1.content: expected a string"),
            (["bos_token": String(repeating: "x", count: 5000)], "bos_token: a token of 5000 bytes"),
            (["tokenizer_class": "LlamaTokenizer", "add_prefix_space": false], "add_prefix_space: is false, but tokenizer.json puts a space before a text"),
        ] as [([String: any Sendable], String)])
    func refusesByName(settings: [String: any Sendable], expected: String) throws {
        try withDirectory("mistral", ["tokenizer_config.json": settings, "config.json": ["model_type": "llama"]]) { directory in
            let error = try #require(throws: BadInput.self) { try Tokenizer(directory: directory) }
            #expect("\(error)".contains(expected), "\(error)")
        }
        try withDirectory("mistral", ["tokenizer_config.json": ["split_special_tokens": false, "fast_tokenizer_files": ["tokenizer.json"]]]) { directory in
            let notes = try Tokenizer(directory: directory).notes
            #expect(notes.isEmpty)
        }
    }

    @Test func refusesKeysGivenTwice() throws {
        let own = try String(contentsOfFile: Fixture("gpt2").tokenizerPath, encoding: .utf8)
        let twice = own.replacing("\"normalizer\"", with: "\"normalizer\": {\"type\": \"NFC\"}, \"normalizer\"")
        let error = try #require(throws: BadInput.self) { try loadTokenizer(twice) }
        #expect("\(error)".contains("the key 'normalizer' appears twice"), "\(error)")
    }

    @Test func saysThatAFileWasNotFetched() throws {
        let pointer = Data("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n".utf8)
        try withDirectory("gpt2", [:]) { directory in
            for name in ["tokenizer_config.json", "tokenizer.json"] {
                try pointer.write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
                let error = try #require(throws: BadInput.self) { try Tokenizer(directory: directory) }
                #expect("\(error)".hasPrefix("\(directory)/\(name): is a Git LFS pointer, not the file itself"), "\(error)")
            }
        }
    }

    /// A key that is not known may change tokens; null says nothing.
    @Test(arguments: [
        ("\"version\"", "\"cuts\": KEY, \"version\"", "tokenizer.json: has 'cuts', which is not known here"),
        ("\"individual_digits\"", "\"cuts\": KEY, \"individual_digits\"", "pre_tokenizer.pretokenizers[0]: has 'cuts'"),
        ("\"dropout\"", "\"cuts\": KEY, \"dropout\"", "model: has 'cuts'"),
        ("\"single_word\"", "\"cuts\": KEY, \"single_word\"", "added_tokens[0]: has 'cuts'"),
        ("\"decoder\": {", "\"decoder\": {\"cuts\": KEY, ", "decoder: has 'cuts'"),
    ])
    func refusesUnknownKeys(place: String, change: String, expected: String) throws {
        let own = try String(contentsOfFile: Fixture("smollm2").tokenizerPath, encoding: .utf8)
        try #require(own.contains(place))
        let error = try #require(throws: BadInput.self) { try loadTokenizer(own.replacing(place, with: change.replacing("KEY", with: "1"))) }
        #expect("\(error)".replacing(#/tokenizer-[-0-9A-F]+/#, with: "tokenizer").contains(expected), "\(error)")
        _ = try loadTokenizer(own.replacing(place, with: change.replacing("KEY", with: "null")))
    }

    /// The tokens that start and end a text are those that are named, not those with a usual name.
    @Test func namedTokensStartAndEndATextOfAModel() throws {
        try withDirectory("qwen2", ["tokenizer_config.json": ["eos_token": "<end>", "bos_token": ["content": "<|begin_of_text|>"]]]) { directory in
            let tokenizer = try Tokenizer(directory: directory)
            #expect(tokenizer.endOfText.map(Int.init) == tokenizer.vocabularySize - 1 && tokenizer.beginningOfText == 1)
            #expect(tokenizer.decode(tokenizer.endOfText.map { [$0] } ?? [], skipSpecialTokens: false) == "<end>")
        }
    }

    @Test func saysHowToMakeATokenizerJSON() throws {
        try withDirectory("gpt2", ["vocab.json": [:], "tokenizer_config.json": [:]]) { directory in
            try FileManager.default.removeItem(atPath: directory + "/tokenizer.json")
            let error = try #require(throws: BadInput.self) { try Tokenizer(directory: directory) }
            #expect("\(error)".hasPrefix(directory + "/tokenizer.json: there is no such file, only vocab.json; transformers makes one"), "\(error)")
        }
    }
}
