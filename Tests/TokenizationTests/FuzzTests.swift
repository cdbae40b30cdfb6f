import Foundation
import Testing
import Tokenization

/// Short runs by default; `AMEND_FUZZ_SECONDS=600 swift test --filter FuzzTests` for long ones, AMEND_FUZZ_SEED for
/// others, AMEND_FUZZ_FIRST for the number of the first input.
@Suite(.serialized) struct FuzzTests {
    private var fuzzer: TokenizerFuzzer {
        let environment = ProcessInfo.processInfo.environment
        return TokenizerFuzzer(
            seed: environment["AMEND_FUZZ_SEED"].flatMap(UInt64.init) ?? 1, first: environment["AMEND_FUZZ_FIRST"].flatMap(Int.init) ?? 0)
    }

    @Test func damagedFilesAreReadOrRefused() throws {
        let originals = try Fixture.components.map { try Data(contentsOf: URL(fileURLWithPath: Fixture($0).tokenizerPath)) }
        expect(
            try {
                var fuzzer = fuzzer; return try fuzzer.fuzzFiles(originals, seconds: TokenizerFuzzer.seconds)
            }())
    }

    @Test func damagedMetadataAreReadOrRefused() throws {
        var originals = try ["components/tekken", "gpt2"].map {
            try Fixture($0).decode("tokenizer.json", as: PlainVocabulary.self).gguf(pre: "gpt-2")
        }
        for name in ["sentencepiece", "gguf-gemma"] {
            let vocabulary = try Fixture(name).decode("vocabulary.json", as: ScoredVocabulary.self)
            originals += [vocabulary.gguf(), vocabulary.gguf(addSpacePrefix: false)]
        }
        expect(
            try {
                var fuzzer = fuzzer; return try fuzzer.fuzzMetadata(originals, seconds: TokenizerFuzzer.seconds)
            }())
    }

    private func expect(_ report: TokenizerFuzzer.Report, location: SourceLocation = #_sourceLocation) {
        print(report)
        #expect(report.failures.isEmpty, "\(report.failures)", sourceLocation: location)
        #expect(report.accepted > 0 && report.refused > 0, "\(report)", sourceLocation: location)
    }

    @Test func inputsFollowFromTheSeed() throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: Fixture("components/added-tokens").tokenizerPath))
        var (one, same, other) = (TokenizerFuzzer(seed: 5), TokenizerFuzzer(seed: 5), TokenizerFuzzer(seed: 6))
        let inputs = (0..<20).map { _ in one.damaged(original) }
        #expect(inputs == (0..<20).map { _ in same.damaged(original) })
        #expect(inputs != (0..<20).map { _ in other.damaged(original) })
    }
}
