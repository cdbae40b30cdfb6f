import Foundation
import TestSupport
import WeightFiles

/// A Hugging Face directory with the tokenizer of a model of which only a GGUF file is at hand: tokenizer.json as make_odd_strings.py makes it, and
/// tokenizer_config.json. Removed with this object.
final class TokenizerDirectory {
    private let directory: TemporaryDirectory
    var path: String { directory.path }

    private static let unknown = 2, control = 3, userDefined = 4  // types of tokens

    private let tokens: [[UInt8]]
    private let types: [Int]

    /// - Parameter pieces: whether the vocabulary is SentencePiece's, as Gemma's; else it is SmolLM2's.
    init(of file: GGUFFile, pieces: Bool) throws {
        let types = try file.integers("tokenizer.ggml.token_type") ?? []
        tokens = try zip(file.strings("tokenizer.ggml.tokens") ?? [], types).map { token, type in
            let bytes = Array(token.utf8)
            guard pieces, type == Self.userDefined, bytes.allSatisfy({ $0 == UInt8(ascii: " ") }) else { return bytes }
            return bytes.flatMap { _ in "▁".utf8 }
        }
        self.types = types
        directory = try TemporaryDirectory()
        let merges = pieces ? impliedMerges : try file.strings("tokenizer.ggml.merges")?.map { $0.utf8.split(separator: 0x20).map(Array.init) } ?? []
        var json = pieces ? Self.gemmaComponents : Self.smollm2Components
        json += Array(",\n\"added_tokens\": [".utf8) + Array(addedTokens.joined(separator: [0x2C])) + Array("],\n".utf8)
        json += Array((pieces ? Self.gemmaModel : Self.smollm2Model).utf8)
        json += Array("\"vocab\": {".utf8) + Array(tokens.enumerated().map { Self.quoted($1) + Array(": \($0)".utf8) }.joined(separator: [0x2C]))
        json += Array("}, \"merges\": [".utf8)
        json += Array(merges.map { Array("[".utf8) + Self.quoted($0[0]) + [0x2C] + Self.quoted($0[1]) + Array("]".utf8) }.joined(separator: [0x2C]))
        json += Array("]}}".utf8)
        _ = try directory.write(json, to: "tokenizer.json")
        _ = try directory.write(Array(#"{"model_type": "\#(pieces ? "gemma3_text" : "llama")"}"#.utf8), to: "config.json")
        let names = pieces ? #""bos_token": "<bos>", "eos_token": "<eos>""# : #""bos_token": "<|im_start|>", "eos_token": "<|im_end|>""#
        _ = try directory.write(Array(#"{"tokenizer_class": "PreTrainedTokenizerFast", \#(names)}"#.utf8), to: "tokenizer_config.json")
    }

    /// Every cut of a token into two, by the order of the tokens; of one token's the longest left part first.
    private var impliedMerges: [[[UInt8]]] {
        let known = Set(tokens)
        return tokens.flatMap { token in
            token.indices.dropFirst().reversed().filter { token[$0] & 0xC0 != 0x80 }.compactMap { cut in
                let left = Array(token[..<cut]), right = Array(token[cut...])
                return known.contains(left) && known.contains(right) ? [left, right] : nil
            }
        }
    }

    private var addedTokens: [[UInt8]] {
        tokens.indices.filter { [Self.unknown, Self.control, Self.userDefined].contains(types[$0]) }.map { id in
            Array(
                #"{"id": \#(id), "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": \#(types[id] != Self.userDefined), "content": "#
                    .utf8)
                + Self.quoted(tokens[id]) + Array("}".utf8)
        }
    }

    private static func quoted(_ text: [UInt8]) -> [UInt8] {
        [0x22]
            + text.flatMap { byte -> [UInt8] in
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): [UInt8(ascii: "\\"), byte]
                case ..<0x20: Array("\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8)
                default: [byte]
                }
            } + [0x22]
    }

    private static let smollm2Components = Array(
        """
        {"normalizer": null, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, \
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]}, "post_processor": null, \
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}
        """.utf8)

    private static let smollm2Model = #""model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false, "byte_fallback": false, "#

    private static let gemmaComponents = Array(
        """
        {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, \
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false}, \
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], \
        "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}}}, \
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]}
        """.utf8)

    private static let gemmaModel = #""model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "#
}
