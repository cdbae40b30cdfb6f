import Foundation
import TensorCore
import TestSupport
import Tokenization

/// Damages good tokenizers at random and reads what comes out. Whatever that is, it must be refused with one line of
/// `BadInput`, or read and then encode and decode. The inputs follow from the seed alone.
struct TokenizerFuzzer {
    struct Report: CustomStringConvertible {
        var inputs = 0, accepted = 0, refused = 0
        var slowestSeconds = 0.0
        var failures: [String] = []

        var description: String {
            "\(inputs) inputs, \(accepted) accepted, \(refused) refused, slowest \(slowestSeconds) s, \(failures.count) failures"
        }
    }

    /// Seconds for each kind of input: AMEND_FUZZ_SECONDS, or a few.
    static var seconds: Double {
        ProcessInfo.processInfo.environment["AMEND_FUZZ_SECONDS"].flatMap(Double.init) ?? 3
    }

    private static let slowestAllowedSeconds = 20.0  // of processor time: others may keep the processor from us

    private let seed: UInt64
    private let first: Int
    private var random: RandomBits

    /// - Parameter first: the input to begin with, to see again what a longer run found.
    init(seed: UInt64, first: Int = 0) {
        self.seed = seed
        self.first = first
        random = RandomBits(state: seed)
    }

    /// Mutations of tokenizer.json texts.
    mutating func fuzzFiles(_ originals: [Data], seconds: Double) throws -> Report {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("tokenizer-fuzz-\(seed)-\(UUID()).json")
        defer { try? FileManager.default.removeItem(at: path) }
        return try run(seconds: seconds) { fuzzer in
            let damaged = fuzzer.damaged(originals[fuzzer.random.below(originals.count)])
            try damaged.write(to: path)  // there to be looked at after a crash
            return { try Tokenizer(contentsOf: path.path) }
        }
    }

    /// Mutations of GGUF metadata.
    mutating func fuzzMetadata(_ originals: [GGUFVocabulary], seconds: Double) throws -> Report {
        try run(seconds: seconds) { fuzzer in
            let damaged = fuzzer.damaged(originals[fuzzer.random.below(originals.count)])
            return { try Tokenizer(gguf: damaged) }
        }
    }

    private mutating func run(
        seconds: Double, _ next: (inout TokenizerFuzzer) throws -> () throws -> Tokenizer
    ) throws -> Report {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        var report = Report(inputs: first)
        while clock.now < end, report.failures.count < 10 {
            random = RandomBits(state: seed &+ UInt64(report.inputs) &* 0x9E37_79B9_7F4A_7C15)
            let load = try next(&self)
            let started = Self.threadSeconds()
            do {
                let tokenizer = try load()
                exercise(tokenizer)
                report.accepted += 1
            } catch let error as BadInput {
                report.refused += 1
                if error.description.contains(where: \.isNewline) || error.problem.isEmpty || error.description.count > 2000 {
                    report.failures.append("input \(report.inputs): not one line: \(error.description.debugDescription)")
                }
            } catch {
                report.failures.append("input \(report.inputs): another error: \(error)")
            }
            let elapsed = Self.threadSeconds() - started
            if elapsed > Self.slowestAllowedSeconds { report.failures.append("input \(report.inputs): took \(elapsed) s") }
            report.slowestSeconds = max(report.slowestSeconds, elapsed)
            report.inputs += 1
        }
        return report
    }

    private static func threadSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static let texts = [
        "", " ", "Hello, world's end.\n\n 12345  x", "  <a> é<b>-<b>_ Foo\r\n12 <ab><a> food", "日本語 👩‍👩‍👧 ﬁ e\u{301} \u{0}\u{1}",
        "▁▁a▁ [x]<turn>", String(repeating: "a", count: 300), String(repeating: " ", count: 300) + "b",
        String(repeating: "ab ", count: 200),
    ]

    private func exercise(_ tokenizer: Tokenizer) {
        for text in Self.texts {
            let ids = tokenizer.encode(text, addSpecialTokens: true) + tokenizer.encodeContinuation(text)
            precondition(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize }, "\(ids) of \(tokenizer.vocabularySize)")
            _ = tokenizer.decode(ids, skipSpecialTokens: false)
            _ = tokenizer.decode([-1, 0, .max] + ids, skipSpecialTokens: true)
        }
    }
}

// Damage
extension TokenizerFuzzer {
    mutating func damaged(_ original: Data) -> Data {
        var bytes = Array(original)
        for _ in 0...random.below(2) {
            bytes = random.below(4) == 0 ? withRandomBytes(bytes) : withRandomValues(bytes)
            if bytes.isEmpty { break }
        }
        return Data(bytes)
    }

    /// As text: flipped bits, and stretches that are lost, repeated or moved.
    private mutating func withRandomBytes(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0...random.below(2) where !bytes.isEmpty {
            let start = random.below(bytes.count)
            let stretch = start..<min(bytes.count, start + 1 + random.below(random.below(4) == 0 ? 4000 : 12))
            switch random.below(6) {
            case 0: bytes[start] ^= 1 << UInt8(random.below(8))
            case 1: bytes[start] = UInt8(random.below(256))
            case 2: bytes.removeSubrange(stretch)
            case 3: bytes.insert(contentsOf: bytes[stretch], at: start)
            case 4: bytes.insert(contentsOf: Array(random.pick(Self.fragments).utf8), at: start)
            default: bytes.insert(contentsOf: bytes[stretch], at: random.below(bytes.count))
            }
        }
        return bytes
    }

    /// As JSON: one value becomes another, or the value of another place. Mostly outside the vocabulary and the merges,
    /// whose entries are many and of one kind.
    private mutating func withRandomValues(_ bytes: [UInt8]) -> [UInt8] {
        let spans = Self.spansOfValues(in: bytes)
        guard !spans.isEmpty else { return withRandomBytes(bytes) }
        let model = Data(bytes).range(of: Data("\"model\"".utf8))?.lowerBound ?? bytes.count
        let before = spans.filter { $0.upperBound <= model }
        let target = random.pick(random.below(3) > 0 && !before.isEmpty ? before : spans)
        let kind = bytes[target.lowerBound]
        let ofSameKind = Self.values.filter { $0.utf8.first == (kind == UInt8(ascii: "n") ? UInt8(ascii: "{") : kind) }
        let value =
            switch random.below(4) {
            case 0: Array(bytes[random.pick(spans)].prefix(4000))
            case 1: Array(random.pick(Self.values).utf8)
            default: Array(random.pick(ofSameKind.isEmpty ? Self.values : ofSameKind).utf8)
            }
        return Array(bytes[..<target.lowerBound]) + value + bytes[target.upperBound...]
    }

    private static let fragments = [",", "{", "}", "[", "]", "\"", ":", "null", "\\u0000", "\\ud800", "1e999", "-1", " ", "\u{2581}", "\u{FEFF}"]

    private static let values = [
        "null", "true", "false", "0", "1", "-1", "0.5", "1e308", "2147483647", "2147483648", "4294967296", #""""#, #"" ""#,
        #""a""#, #""▁""#, "\"\\n\"", "[]", "{}", "[[]]", "[0]", #"["a","b"]"#, #"["","a"]"#, #"["a",""]"#, #""a b""#, #""a  b""#,
        #"{"String":""}"#, #"{"String":" "}"#, #"{"Regex":"(a+)+b"}"#, #"{"Regex":"(a|a)*b"}"#, #"{"Regex":"(?:a?){40}a{40}"}"#,
        #"{"Regex":""}"#, #"{"Regex":"()*"}"#, #"{"Regex":"(\\s*\\S*)*$"}"#, #"{"Regex":"a*a*a*a*a*b"}"#,
        #"{"Regex":"(?<=a{1,99})b"}"#, #"{"Regex":"\\1(a)"}"#, #"{"Regex":"(.*)(.*)(.*)\\3\\2\\1$"}"#,
        #"{"Regex":".{0,1000000}b"}"#, #"{"Regex":"((a{1,99}){1,99}){1,99}b"}"#, #"{"type":"NFKC"}"#, #"{"type":"Lowercase"}"#,
        #"{"type":"Prepend","prepend":"▁"}"#, #"{"type":"Strip"}"#,
        #"{"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaa"}"#,
        #"{"type":"Replace","pattern":{"Regex":"a*"},"content":"aa"}"#,
        #"{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}"#,
        #"{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}"#, #"{"type":"Digits","individual_digits":true}"#,
        #"{"type":"Whitespace"}"#, #"{"type":"Punctuation","behavior":"MergedWithNext"}"#, #"{"type":"ByteFallback"}"#,
        #"{"type":"Fuse"}"#, #"{"type":"Strip","content":" ","start":2147483647,"stop":2147483647}"#,
        #"{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"Lowercase"}]}"#,
        #"{"id":1,"content":"a","special":false,"lstrip":true,"rstrip":true,"single_word":true,"normalized":true}"#,
        #"{"id":999999,"content":" ","special":true,"lstrip":true,"rstrip":true}"#,
        "\"" + String(repeating: "a", count: 5000) + "\"", String(repeating: "[", count: 70) + String(repeating: "]", count: 70),
    ]

    /// The byte ranges of the values in a JSON text without white space, as far as it is one.
    private static func spansOfValues(in bytes: [UInt8]) -> [Range<Int>] {
        var spans: [Range<Int>] = []
        var open: [Int] = []
        var position = 0
        while position < bytes.count {
            let start = position
            position += 1
            switch bytes[start] {
            case UInt8(ascii: "\""):
                while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                    position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
                }
                position = min(position + 1, bytes.count)
                let isName = position < bytes.count && bytes[position] == UInt8(ascii: ":")
                if !isName { spans.append(start..<position) }
            case UInt8(ascii: "{"), UInt8(ascii: "["): open.append(start)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): if let first = open.popLast() { spans.append(first..<position) }
            case UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: ":"), 0x0A, 0x0D, 0x09: break
            default:
                while position < bytes.count, !" ,:[]{}\"\n".utf8.contains(bytes[position]) { position += 1 }
                spans.append(start..<position)
            }
        }
        return spans
    }

    private mutating func damaged(_ original: GGUFVocabulary) -> GGUFVocabulary {
        var vocabulary = original
        for _ in 0...random.below(4) { damage(&vocabulary) }
        return vocabulary
    }

    private mutating func damage(_ vocabulary: inout GGUFVocabulary) {
        switch random.below(16) {
        case 0: vocabulary.model = random.pick(["gpt2", "llama", "bert", ""])
        case 1: vocabulary.pre = random.pick(["gpt-2", "default", "smollm", "llama-bpe", "qwen2", "tekken", "x\ny", ""])
        case 2, 3: damage(&vocabulary.tokens) { $0.pick(Self.tokens) }
        case 4: damage(&vocabulary.merges) { $0.pick(Self.merges) }
        case 5:
            let (one, other) = (random.pick(vocabulary.tokens + ["a"]), random.pick(vocabulary.tokens + ["b"]))
            vocabulary.merges.insert("\(one) \(other)", at: random.below(vocabulary.merges.count + 1))
            if random.below(2) == 0, !vocabulary.tokens.isEmpty {
                vocabulary.tokens[random.below(vocabulary.tokens.count)] = one + other
            }
        case 6: vocabulary.tokenTypes = vocabulary.tokenTypes.map { damaged($0) { $0.pick(Self.tokenTypes) } }
        case 7: vocabulary.scores = vocabulary.scores.map { damaged($0) { $0.pick(Self.scores) } }
        case 8: vocabulary.tokenTypes = random.below(3) == 0 ? nil : vocabulary.tokens.indices.map { _ in Int32(1 + random.below(6)) }
        case 9: vocabulary.scores = random.below(3) == 0 ? nil : vocabulary.tokens.indices.map { _ in Float(random.below(9)) - 4 }
        case 10: vocabulary.beginningOfText = randomID(vocabulary)
        case 11: vocabulary.endOfText = randomID(vocabulary)
        case 12: vocabulary.unknown = randomID(vocabulary)
        case 13: vocabulary.addSpacePrefix = random.pick([nil, true, false])
        case 14:
            vocabulary.addBeginningOfText = random.pick([nil, true, false])
            vocabulary.addEndOfText = random.pick([nil, true, false])
        default: vocabulary.tokens.swapAt(0, random.below(max(1, vocabulary.tokens.count)))
        }
    }

    private mutating func randomID(_ vocabulary: GGUFVocabulary) -> Int32? {
        random.pick([nil, 0, -1, .max, .min, Int32(vocabulary.tokens.count), Int32(vocabulary.tokens.count) - 1])
    }

    private static let tokens = [
        "", " ", "  ", "▁", "▁▁", "a", "b", "ab", "\n", "\u{0}", "é", "e\u{301}", "<0x41>", "<0x00>", "👩‍👩‍👧", "Ġ", "ĠĠ", "x y", "\u{FFFD}",
        String(repeating: "a", count: 4096), String(repeating: "a", count: 4097), String(repeating: " ", count: 1000),
    ]

    private static let tokenTypes: [Int32] = [1, 2, 3, 4, 5, 6, 0, 7, -1, .max, .min]
    private static let scores: [Float] = [0, -0.0, 1, -1000, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude]
    private static let merges = ["", " ", "  ", "a", "a b", "a  b", " a", "a ", "a b c", "Ġ Ġ", "\n a", "é é", "zz zz"]

    private mutating func damage<Item>(_ list: inout [Item], _ new: (inout RandomBits) -> Item) {
        list = damaged(list, new)
    }

    private mutating func damaged<Item>(_ original: [Item], _ new: (inout RandomBits) -> Item) -> [Item] {
        var list = original
        for _ in 0...random.below(4) {
            let index = random.below(list.count + 1)
            switch random.below(5) {
            case 0 where index < list.count: list.remove(at: index)
            case 1: list.insert(new(&random), at: index)
            case 2 where !list.isEmpty: list.insert(list[random.below(list.count)], at: index)
            case 3 where random.below(8) == 0: list.removeSubrange(index...)
            default: if index < list.count { list[index] = new(&random) }
            }
        }
        return list
    }
}
