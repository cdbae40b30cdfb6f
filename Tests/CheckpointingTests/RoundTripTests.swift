import Checkpointing
import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct RoundTripTests {
    @Test func digestAndValuesDoNotDependOnTheNumberOfRanks() throws {
        let state = SampleState()
        var digests: Set<String> = []
        for writers in 1...4 {
            let directory = try TemporaryDirectory()
            let report = Lines()
            var options = sampleOptions(directory.path)
            options.threads = writers == 2 ? 3 : 1
            let infos = try save(state, step: 20, ranks: writers, options: options, report: report).map { try $0.get() }
            #expect(Set(infos.map(\.digest)).count == 1)
            #expect(infos[0].rawBytes == state.values.values.reduce(0) { $0 + $1.count })
            digests.insert(infos[0].digest)
            #expect(report.all == [], "every rank is asked only for pieces it holds")
            #expect(directory.entries("step-00000020").count == writers + 2)
            for readers in [1, 3] {
                let loaded = try #require(try loadNewest(directory.path, like: state, ranks: readers, report: report))
                #expect(loaded.step == 20)
                #expect(loaded.digest == infos[0].digest)
                #expect(loaded.values == state.values)
            }
            #expect(report.all == [])
        }
        #expect(digests.count == 1)
    }

    @Test func digestIsOfTheStateAlone() throws {
        func digest(_ state: SampleState, _ document: CheckpointDocument, _ change: (inout CheckpointOptions) -> Void = { _ in }) throws -> String {
            let directory = try TemporaryDirectory()
            var options = sampleOptions(directory.path)
            change(&options)
            return try save(state, step: 1, ranks: 1, options: options, document: document)[0].get().digest
        }
        let state = SampleState()
        let digest0 = try digest(state, sampleDocument)
        var document = sampleDocument
        document.notes = ["seconds": 99]
        #expect(try digest(state, document) == digest0)
        #expect(try digest(state, sampleDocument) { ($0.configuration, $0.method, $0.compressionLevel) = ("other", "mend", 7) } == digest0)
        document.state = ["batches": 21]
        #expect(try digest(state, document) != digest0)
        state.entries[4].storage[1000] ^= 1
        #expect(try digest(state, sampleDocument) != digest0)
    }

    @Test func anyRangeCanBeRead() throws {
        let directory = try TemporaryDirectory()
        let state = SampleState()
        _ = try save(state, step: 1, ranks: 2, options: sampleOptions(directory.path))[0].get()
        let loaded = try #require(try CheckpointReader(directory: directory.path) { _ in }.newest(exchange: SingleProcess()))
        for (tensor, entry) in zip(state.tensors(rank: 0, of: 1), state.entries) {
            let count = entry.shape.reduce(1, *)
            let all = state.bytes(entry)
            for cut in 0..<40 where count > 0 {
                let lower = count * cut / 53, upper = max(lower, count - count * cut / 71)
                let width = entry.elementType.width
                #expect(try read(loaded, tensor, elements: lower..<upper) == Array(all[lower * width..<upper * width]))
            }
        }
        #expect(throws: BadInput.self) { try read(loaded, state.tensors(rank: 0, of: 1)[2], elements: 0..<34) }
    }

    @Test func documentConfigurationAndSummaryComeBack() throws {
        let directory = try TemporaryDirectory()
        let info = try save(SampleState(), step: 20, ranks: 2, options: sampleOptions(directory.path))[0].get()
        let loaded = try #require(try CheckpointReader(directory: directory.path) { _ in }.newest(exchange: SingleProcess()))
        #expect(loaded.document == sampleDocument)
        #expect(loaded.document.state["zero"]?.double?.sign == .minus)
        #expect((loaded.method, loaded.configuration, loaded.writers) == ("emsedit", "run: {seed: 1}\n", 2))
        for path in [directory.path, info.path] {
            let summary = try CheckpointSummary.read(path: path)
            #expect((summary.method, summary.batches, summary.digest, summary.format) == ("emsedit", 20, info.digest, 1))
            #expect((summary.bytes, summary.rawBytes) == (info.bytes, info.rawBytes))
            let sizes = directory.entries("step-00000020").map {
                (try? FileManager.default.attributesOfItem(atPath: "\(info.path)/\($0)")[.size] as? Int) ?? 0
            }
            #expect(summary.bytes == sizes.reduce(0, +))
        }
        #expect(throws: BadInput.self) { try CheckpointSummary.read(path: directory.path + "/none") }
    }

    @Test func unmovedParametersCostNothing() throws {
        for (moved, expected) in [(false, 0...0.001), (true, 0.5...1.0)] {
            let directory = try TemporaryDirectory()
            let state = SampleState(moved: moved, parameterRows: 1024)
            _ = try save(state, step: 1, ranks: 1, options: sampleOptions(directory.path, chunkBytes: 1 << 16))[0].get()
            let tensor = try CheckpointSummary.read(path: directory.path).tensors[0]
            #expect(expected.contains(tensor.ratio), "\(tensor.name) moved \(moved): \(tensor.ratio)")
        }
    }

    @Test func anotherSeedsReferenceIsNoticed() throws {
        let directory = try TemporaryDirectory()
        let state = SampleState(moved: false)
        _ = try save(state, step: 1, ranks: 1, options: sampleOptions(directory.path))[0].get()
        let loaded = try #require(try CheckpointReader(directory: directory.path) { _ in }.newest(exchange: SingleProcess()))
        let error = #expect(throws: BadInput.self) {
            try read(loaded, state.tensors(rank: 0, of: 1, referenceSeedShift: 1)[0])
        }
        #expect(error?.description.contains("another seed") == true)
    }

    @Test func anotherStateIsRefusedByName() throws {
        let directory = try TemporaryDirectory()
        let state = SampleState()
        _ = try save(state, step: 1, ranks: 1, options: sampleOptions(directory.path))[0].get()
        let loaded = try #require(try CheckpointReader(directory: directory.path) { _ in }.newest(exchange: SingleProcess()))
        let larger = SampleState(parameterRows: 65).tensors(rank: 0, of: 1)
        let error = #expect(throws: BadInput.self) { try loaded.check(holds: larger) }
        #expect(error?.problem == "'parameter.A' is f32 [64, 50], this run expects f32 [65, 50]")
        #expect(throws: BadInput.self) { try read(loaded, larger[0]) }
        #expect(throws: BadInput.self) { try loaded.check(holds: Array(state.tensors(rank: 0, of: 1).dropLast())) }
        let more = state.tensors(rank: 0, of: 1) + [StateTensor(name: "new", shape: [1], elementType: .u8) { _ in .init(start: nil, count: 0) }]
        #expect(throws: BadInput.self) { try loaded.check(holds: more) }
    }

    @Test func ranksThatSaveDifferentTensorsAreRefused() throws {
        let directory = try TemporaryDirectory()
        let results = RankGroup.run(2) { exchange in
            let store = try CheckpointStore(options: sampleOptions(directory.path), exchange: exchange) { _ in }
            let tensors = SampleState(parameterRows: 64 + exchange.rank).tensors(rank: exchange.rank, of: 2)
            return try store.begin(step: 1, state: tensors, document: sampleDocument, exchange: exchange).finish()
        }
        for result in results {
            #expect(throws: CheckpointFailure.self) { try result.get() }
        }
        #expect(directory.entries() == [])
    }

    @Test func piecesThatNoRankOrTwoRanksHoldAreRefused() throws {
        for (offset, problem) in [(1, "was written by no rank"), (0, "was written twice, the second time by rank 1")] {
            let directory = try TemporaryDirectory()
            let results = RankGroup.run(2) { exchange in
                let value = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 4)
                value.initializeMemory(as: UInt8.self, repeating: 7)
                defer { value.deallocate() }
                // Every rank believes that the other one, or itself, holds the only piece.
                let holder = (exchange.rank + offset) % 2
                let tensor = StateTensor(
                    name: "moment", shape: [1], elementType: .f32, pieces: .init([0..<1]) { _ in holder }, bytes: { _ in UnsafeRawBufferPointer(value) })
                let store = try CheckpointStore(options: sampleOptions(directory.path), exchange: exchange) { _ in }
                return try store.begin(step: 1, state: [tensor], document: sampleDocument, exchange: exchange).finish()
            }
            for result in results {
                let error = #expect(throws: CheckpointFailure.self) { try result.get() }
                #expect(error?.description == "step-00000001 was not saved: chunk 0 (piece 0 of 'moment') \(problem)")
            }
            #expect(directory.entries() == [])
        }
    }
}
