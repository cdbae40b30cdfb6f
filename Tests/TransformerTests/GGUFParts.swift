import Foundation
import TestSupport

/// A GGUF file taken apart, to be put together with other counts, lengths, types, shapes and offsets.
struct GGUFParts {
    struct Entry {
        var key: [UInt8]
        var keyLength: UInt64?  // where it is not that of `key`
        var type: UInt32
        var value: [UInt8]
    }

    struct Tensor {
        var name: [UInt8]
        var dimensions: [UInt64]  // innermost first
        var rank: UInt32?  // where it is not that of `dimensions`
        var type: UInt32
        var offset: UInt64
    }

    var version: UInt32 = 3
    var metadataCount: UInt64?, tensorCount: UInt64?  // where they are not those of the lists
    var metadata: [Entry] = []
    var tensors: [Tensor] = []
    var alignment = 32
    var data: [UInt8]

    /// - Parameter bytes: a good file whose metadata are strings and scalars of 32 bits.
    init(_ bytes: [UInt8]) {
        var position = 8
        func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value {
            defer { position += MemoryLayout<Value>.size }
            return bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Value.self)) }
        }
        func string() -> [UInt8] {
            let count = Int(integer(UInt64.self))
            defer { position += count }
            return Array(bytes[position..<position + count])
        }
        let tensorCount = integer(UInt64.self), metadataCount = integer(UInt64.self)
        data = []
        for _ in 0..<metadataCount {
            let key = string(), type = integer(UInt32.self)
            precondition(type == 8 || (4...6).contains(type), "a value of the type \(type)")
            metadata.append(Entry(key: key, type: type, value: type == 8 ? Self.string(string()) : littleEndian(integer(UInt32.self))))
        }
        for _ in 0..<tensorCount {
            let name = string(), rank = integer(UInt32.self)
            let dimensions = (0..<rank).map { _ in integer(UInt64.self) }
            tensors.append(Tensor(name: name, dimensions: dimensions, type: integer(UInt32.self), offset: integer(UInt64.self)))
        }
        data = Array(bytes[(position + 31) / 32 * 32..<bytes.count])
    }

    static func string(_ bytes: [UInt8]) -> [UInt8] { littleEndian(UInt64(bytes.count)) + bytes }

    static func array(_ type: UInt32, _ items: [[UInt8]]) -> [UInt8] {
        littleEndian(type) + littleEndian(UInt64(items.count)) + Array(items.joined())
    }

    mutating func add(_ key: String, _ type: UInt32, _ value: [UInt8]) {
        metadata.append(Entry(key: Array(key.utf8), type: type, value: value))
    }

    /// A vocabulary of `count` pieces as SentencePiece has them.
    mutating func addVocabulary(_ count: Int) {
        let pieces = ["<unk>", "<s>", "</s>", "▁"] + (4..<count).map { "\(Character(Unicode.Scalar(UInt8(28 + $0 % 99))))\($0)" }
        add("tokenizer.ggml.model", 8, Self.string(Array("llama".utf8)))
        add("tokenizer.ggml.tokens", 9, Self.array(8, pieces.map { Self.string(Array($0.utf8)) }))
        add("tokenizer.ggml.scores", 9, Self.array(6, pieces.indices.map { littleEndian((-Float($0)).bitPattern) }))
        add("tokenizer.ggml.token_type", 9, Self.array(5, pieces.indices.map { littleEndian(Int32($0 == 0 ? 2 : $0 < 3 ? 3 : 1)) }))
        for (index, key) in ["unknown_token_id", "bos_token_id", "eos_token_id"].enumerated() {
            add("tokenizer.ggml." + key, 4, littleEndian(UInt32(index)))
        }
    }

    var header: [UInt8] {
        var bytes = Array("GGUF".utf8) + littleEndian(version)
        bytes += littleEndian(tensorCount ?? UInt64(tensors.count)) + littleEndian(metadataCount ?? UInt64(metadata.count))
        for entry in metadata {
            bytes += littleEndian(entry.keyLength ?? UInt64(entry.key.count)) + entry.key + littleEndian(entry.type) + entry.value
        }
        for tensor in tensors {
            bytes += Self.string(tensor.name) + littleEndian(tensor.rank ?? UInt32(tensor.dimensions.count))
            for dimension in tensor.dimensions { bytes += littleEndian(dimension) }
            bytes += littleEndian(tensor.type) + littleEndian(tensor.offset)
        }
        return bytes
    }

    var bytes: [UInt8] {
        let header = header
        return header + [UInt8](repeating: 0, count: (alignment - header.count % alignment) % alignment) + data
    }
}

// MARK: damage

extension RandomBits {
    mutating func damage(_ file: inout GGUFParts) {
        switch below(20) {
        case 0: file.version = pick([0, 1, 2, 3, 4, 0x0300_0000, .max])
        case 1: file.metadataCount = damaged(UInt64(file.metadata.count))
        case 2: file.tensorCount = damaged(UInt64(file.tensors.count))
        case 3:
            file.alignment = 1 << below(12)
            file.add("general.alignment", 4, littleEndian(once(in: 3) ? pick([0, 3, 1 << 31, .max]) : UInt32(file.alignment)))
        case 4...11 where !file.metadata.isEmpty:
            let index = below(file.metadata.count)
            switch below(8) {
            case 0: file.metadata.remove(at: index)
            case 1: file.metadata.append(file.metadata[index])
            case 2: file.metadata[index].keyLength = damaged(UInt64(file.metadata[index].key.count))
            case 3: file.metadata[index].type = UInt32(below(14))
            case 4: damage(&file.metadata[index].value, within: 16)
            case 5: damage(&file.metadata[index].key)
            default: (file.metadata[index].type, file.metadata[index].value) = value(depth: 0)
            }
        case 12...18 where !file.tensors.isEmpty:
            let index = below(file.tensors.count), other = below(file.tensors.count)
            switch below(10) {
            case 0: file.tensors.remove(at: index)
            case 1: file.tensors.append(file.tensors[index])
            case 2: file.tensors[index].rank = pick([0, 1, 2, 3, 4, 5, .max])
            case 3, 4:
                guard !file.tensors[index].dimensions.isEmpty else { break }
                let axis = below(file.tensors[index].dimensions.count)
                file.tensors[index].dimensions[axis] = damaged(file.tensors[index].dimensions[axis])
            case 5: file.tensors[index].dimensions.reverse()
            case 6: file.tensors[index].type = once(in: 8) ? pick([4, 5, 31, 99, .max]) : UInt32(below(31))
            case 7: file.tensors[index].offset = once(in: 2) ? damaged(file.tensors[index].offset) : file.tensors[other].offset
            case 8: (file.tensors[index].offset, file.tensors[other].offset) = (file.tensors[other].offset, file.tensors[index].offset)
            default: (file.tensors[index].name, file.tensors[other].name) = (file.tensors[other].name, file.tensors[index].name)
            }
        default: damage(&file.data)
        }
    }

    private mutating func damaged(_ number: UInt64) -> UInt64 {
        if once(in: 2) { return pick(Self.extremes) }
        return pick([number &+ 1, number &- 1, number &* 2, number / 2, number ^ 1 << UInt64(below(64)), number &+ 32])
    }

    /// A value of a random type, with that.
    private mutating func value(depth: Int) -> (type: UInt32, bytes: [UInt8]) {
        let type = UInt32(below(13))
        switch type {
        case 0, 1, 7: return (type, [UInt8(pick([0, 1, 2, 255]))])
        case 2, 3: return (type, Array(littleEndian(pick(Self.extremes)).prefix(2)))
        case 4, 5: return (type, Array(littleEndian(once(in: 2) ? UInt64(below(200)) : pick(Self.extremes)).prefix(4)))
        case 6: return (type, littleEndian(pick([0, -0.0, 1, -1, 0.5, 10_000, 1e-30, 1e30, .nan, .infinity] as [Float]).bitPattern))
        case 8:
            let text = pick(["", "llama", "gpt2", "gemma2", "linear", "yarn", "a\nb", "\u{2028}", String(repeating: "x", count: 3000)])
            return (type, GGUFParts.string(once(in: 8) ? [0xFF, 0xC0] : Array(text.utf8)))
        case 9:
            guard depth < 12 else { return (type, littleEndian(UInt32(0)) + littleEndian(pick(Self.extremes))) }
            if once(in: 4) { return (type, littleEndian(UInt32(below(14))) + littleEndian(pick(Self.extremes))) }
            let item = value(depth: depth + 1)
            return (type, GGUFParts.array(item.type, Array(repeating: item.bytes, count: below(4))))
        default: return (type, littleEndian(once(in: 2) ? UInt64(below(200)) : pick(Self.extremes)))
        }
    }
}
