import Foundation
import TensorCore
import TestSupport
import Testing
import Transformer

/// Every key of a GGUF file's tokenizer is read, known not to change tokens, or refused by name.
@Suite struct GGUFTokenizerTests {
    private func load(_ change: (inout GGUFParts) -> Void) throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/gguf/llama", withExtension: "gguf"))
        var file = GGUFParts(Array(try Data(contentsOf: url)))
        file.addVocabulary(97)
        change(&file)
        let directory = try TemporaryDirectory()
        _ = try ModelSource(directory.write(file.bytes, to: "model.gguf")).loadTokenizer()
    }

    private static let bool: UInt32 = 7, integer: UInt32 = 4, string: UInt32 = 8

    @Test(
        arguments: [
            ("tokenizer.ggml.padding_token_id", integer, littleEndian(UInt32(1))),
            ("tokenizer.ggml.fim_pre_token_id", integer, littleEndian(UInt32(1))),
            ("tokenizer.ggml.token_type_count", integer, littleEndian(UInt32(2))),
            ("tokenizer.chat_template", string, GGUFParts.string(Array("{{ x }}".utf8))),
            ("tokenizer.chat_template.tools", string, GGUFParts.string(Array("{{ x }}".utf8))),
            ("tokenizer.huggingface.json", string, GGUFParts.string(Array("{}".utf8))),
            ("tokenizer.ggml.add_sep_token", bool, [0]),
            ("tokenizer.ggml.add_padding_token", bool, [0]),
            ("tokenizer.ggml.add_unknown_token", bool, [0]),
            ("tokenizer.ggml.add_mask_token", bool, [0]),
            ("tokenizer.ggml.eos_token_ids", 9, GGUFParts.array(4, [littleEndian(UInt32(1))])),
            ("tokenizer.ggml.remove_extra_whitespaces", bool, [0]),
            ("tokenizer.ggml.escape_whitespaces", bool, [1]),
        ] as [(String, UInt32, [UInt8])])
    func takesHarmlessKeys(key: String, type: UInt32, value: [UInt8]) throws {
        try load { $0.add(key, type, value) }
    }

    @Test(
        arguments: [
            ("tokenizer.ggml.add_sep_token", bool, [1], "'tokenizer.ggml.add_sep_token' puts a separator after a text, which is not supported; expected false"),
            ("tokenizer.ggml.add_mask_token", bool, [1], "'tokenizer.ggml.add_mask_token' adds a token to a text, which is not supported; expected false"),
            ("tokenizer.ggml.remove_extra_whitespaces", bool, [1], "drops spaces"),
            ("tokenizer.ggml.escape_whitespaces", bool, [0], "expected true or no such key"),
            ("tokenizer.ggml.precompiled_charsmap", 9, GGUFParts.array(4, [littleEndian(UInt32(7))]), "replaces characters"),
            ("tokenizer.ggml.cuts_words_at", integer, littleEndian(UInt32(1)), "'tokenizer.ggml.cuts_words_at' is not known here and may change"),
            ("tokenizer.rwkv.world", string, GGUFParts.string([]), "'tokenizer.rwkv.world' is not known here"),
        ] as [(String, UInt32, [UInt8], String)])
    func refusesOthersByName(key: String, type: UInt32, value: [UInt8], expected: String) throws {
        let error = try #require(throws: BadInput.self) { try load { $0.add(key, type, value) } }
        #expect("\(error)".contains(".gguf: ") && "\(error)".contains(expected), "\(error)")
    }

    @Test func refusesToAddATokenThatIsNotThere() throws {
        let error = try #require(throws: BadInput.self) {
            try load { file in
                file.metadata.removeAll { ["bos_token_id", "add_bos_token"].map { Array("tokenizer.ggml.\($0)".utf8) }.contains($0.key) }
                file.add("tokenizer.ggml.add_bos_token", Self.bool, [1])
            }
        }
        #expect("\(error)".contains("tokenizer.ggml.add_bos_token: is true, but there is no bos_token_id"), "\(error)")
    }
}
