import Foundation
import TensorCore
import TestSupport
import Testing

/// Philox 4×32-10 as Salmon et al. write it (SC 2011): round by round, over any counter and key.
private func philox(counter: [UInt32], key: [UInt32]) -> [UInt32] {
    var c = counter, k = key
    for _ in 0..<10 {
        let first = c[0].multipliedFullWidth(by: 0xD251_1F53), second = c[2].multipliedFullWidth(by: 0xCD9E_8D57)
        c = [second.high ^ c[1] ^ k[0], second.low, first.high ^ c[3] ^ k[1], first.low]
        k = [k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85]
    }
    return c
}

/// A stream keeps its purpose and lane in the counter's last two words, and no purpose has the number 0, so none of the published
/// vectors can be asked of it. They are asked of the plain version above, which the stream is then compared with.
@Suite struct RandomStreamTests {
    struct KnownAnswer: Sendable {
        let counter: [UInt32], key: [UInt32], answer: [UInt32]
    }

    /// The philox4x32-10 lines of kat_vectors in the Random123 distribution.
    static let knownAnswers = [
        KnownAnswer(counter: [0, 0, 0, 0], key: [0, 0], answer: [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]),
        KnownAnswer(counter: [.max, .max, .max, .max], key: [.max, .max], answer: [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]),
        KnownAnswer(
            counter: [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], key: [0xA409_3822, 0x299F_31D0],
            answer: [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]),
    ]

    @Test(arguments: knownAnswers) func referenceGivesThePublishedVectors(known: KnownAnswer) {
        #expect(philox(counter: known.counter, key: known.key) == known.answer)
    }

    @Test(arguments: [RandomStream.Purpose.hypernetworkInitialization, .sampling, .tests])
    func blocksAreThoseOfTheReference(purpose: RandomStream.Purpose) {
        for seed in [0, 1, 0x299F_31D0_A409_3822, UInt64.max] {
            for (lane, counter) in [(0, 0), (0x0370_7344, 0x85A3_08D3_243F_6A88), (.max, .max)] as [(UInt32, UInt64)] {
                let block = RandomStream(seed: seed, purpose: purpose, lane: lane).block(counter)
                let expected = philox(
                    counter: [UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32), purpose.rawValue, lane],
                    key: [UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32)])
                #expect([block.0, block.1, block.2, block.3] == expected, "seed \(seed), lane \(lane), counter \(counter)")
            }
        }
    }

    /// Purposes are part of the checkpoint format: a parameter's start is drawn again, not stored.
    @Test func purposesKeepTheirNumbers() {
        #expect(RandomStream.Purpose.hypernetworkInitialization.rawValue == 1)
        #expect(RandomStream.Purpose.sampling.rawValue == 2)
    }

    @Test func numbersDoNotDependOnTheRangeTheyAreDrawnIn() {
        let whole = normals(100, lane: 3)
        let stream = RandomStream(seed: 7, purpose: .tests, lane: 3)
        for cut in [1, 2, 3, 4, 37, 99] {
            var parts = [Float](repeating: .nan, count: 100)
            parts.withUnsafeMutableBufferPointer { buffer in
                guard let start = buffer.baseAddress else { return }
                stream.fillNormal(cut..<100, into: start + cut)
                stream.fillNormal(0..<cut, into: start)
            }
            #expect(parts.bits == whole.bits, "cut at \(cut)")
        }
    }

    /// Box and Muller by the C library's functions, in whichever variant: checkpoints hold parameters as differences to these numbers.
    @Test(arguments: kernelVariants) func normalsAreThoseOfBoxAndMuller(variant: String) async {
        await #expect(processExitsWith: .success) { [variant] in
            useKernels(variant)
            let stream = RandomStream(seed: 7, purpose: .tests, lane: 5)
            let expected = (0..<25_003).flatMap { counter in
                let words = stream.block(UInt64(counter))
                return [(words.0, words.1), (words.2, words.3)].flatMap { first, second in
                    let radius = sqrt(-2 * log((Double(first) + 0.5) / 4_294_967_296)), angle = 2 * Double.pi * (Double(second) + 0.5) / 4_294_967_296
                    return [Float(radius * cos(angle)), Float(radius * sin(angle))]
                }
            }
            #expect(normals(expected.count, lane: 5).bits == expected.bits)
        }
    }

    @Test func seedsPurposesAndLanesAreDifferentStreams() {
        func first(_ seed: UInt64, _ purpose: RandomStream.Purpose, _ lane: UInt32) -> [Float] {
            var numbers = [Float](repeating: 0, count: 4)
            RandomStream(seed: seed, purpose: purpose, lane: lane).fillNormal(0..<4, into: &numbers)
            return numbers
        }
        let streams = [first(1, .tests, 0), first(2, .tests, 0), first(1 << 32, .tests, 0), first(1, .sampling, 0), first(1, .tests, 1)]
        #expect(Set(streams).count == streams.count)
    }

    /// Mean, variance, skewness and kurtosis within five standard errors of a normal distribution's.
    @Test func normalsHaveTheMomentsOfANormalDistribution() {
        let count = 40_000
        var sums = [0.0, 0.0, 0.0, 0.0]
        for x in normals(count, lane: 4).doubles {
            for (index, power) in [x, x * x, x * x * x, x * x * x * x].enumerated() { sums[index] += power }
        }
        // The variances of x, x², x³ and x⁴ are 1, 2, 15 and 96.
        let moments: [(expected: Double, variance: Double)] = [(0, 1), (1, 2), (0, 15), (3, 96)]
        for (index, (expected, variance)) in moments.enumerated() {
            let mean = sums[index] / Double(count), error = (variance / Double(count)).squareRoot()
            #expect(abs(mean - expected) < 5 * error, "the mean of x^\(index + 1) is \(mean)")
        }
    }
}
