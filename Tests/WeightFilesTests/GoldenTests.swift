import Foundation
import TensorCore
import TestSupport
import Testing
import WeightFiles

/// Fixtures made by make_fixtures.py.
func fixture(_ name: String) throws -> String {
    try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil)).path
}

@Suite struct GoldenTests {
    static let types: [ElementType] = ElementType.allCases.filter(\.isDecodable)

    @Test(arguments: types) func decodesAsGGML(type: ElementType) throws {
        let tensor = try GGUFFile(path: fixture("types.gguf")).require(type.name)
        let expected = try SafetensorsFile(path: fixture("types-expected.safetensors")).require(type.name)
        #expect(tensor.elementType == type)
        #expect(tensor.shape == expected.shape)
        let found = try tensor.floats().map(\.bitPattern)
        #expect(found == (try expected.floats().map(\.bitPattern)))
    }

    /// Any part of a row equals that part of the whole, wherever it falls on the blocks.
    @Test(arguments: types) func decodesPartsOfRows(type: ElementType) throws {
        let tensor = try GGUFFile(path: fixture("types.gguf")).require(type.name)
        let whole = try tensor.floats().map(\.bitPattern)
        var generator = RandomBits(state: 7)
        for _ in 0..<50 {
            let row = Int.random(in: 0..<tensor.rows, using: &generator)
            let low = Int.random(in: 0...tensor.columns, using: &generator)
            let high = Int.random(in: low...tensor.columns, using: &generator)
            var part = [Float](repeating: 12345, count: high - low + 1)
            try tensor.decode(row: row, columns: low..<high, into: &part)
            let expected = whole[row * tensor.columns + low..<row * tensor.columns + high] + [Float(12345).bitPattern]
            #expect(part.map(\.bitPattern) == Array(expected), "row \(row), columns \(low)..<\(high)")
        }
    }

    @Test func decodesSomeRows() throws {
        let tensor = try GGUFFile(path: fixture("types.gguf")).require("Q6_K")
        var second = [Float](repeating: 0, count: tensor.columns)
        try tensor.decodeRows(1..<2, into: &second)
        #expect(second.map(\.bitPattern) == (try tensor.floats().suffix(tensor.columns).map(\.bitPattern)))
    }

    @Test func readsMetadata() throws {
        let file = try GGUFFile(path: fixture("types.gguf"))
        #expect(try file.string("general.architecture") == "fixture")
        #expect(try file.string("fixture.string") == "naïve Ġ 🜁")
        #expect(try file.integer("general.alignment") == 64)
        #expect(try file.integer("fixture.i8") == -5)
        #expect(file.metadata["fixture.u64"] == .unsigned(1 << 63 + 1))
        #expect(try file.float("fixture.f32") == Double(Float(0.1)))
        #expect(try file.float("fixture.f64") == 0.1)
        #expect(try file.float("fixture.i8") == -5)
        #expect(try file.bool("fixture.bool") == true)
        #expect(try file.strings("fixture.strings") == ["", "a", "Ġthe"])
        #expect(try file.integers("fixture.integers") == [1, -2, 3])
        #expect(try file.floats("fixture.floats") == [0.5, -1.5])
        #expect(file.metadata["fixture.bools"] == .bools([true, false]))
        #expect(try file.integer("absent") == nil)
        #expect(try file.required("fixture.i8", file.integer) == -5)
        expectRefusal("the metadata lack 'absent'") { _ = try file.required("absent", file.integer) }
        expectRefusal("'fixture.string' is a string; expected an integer") { _ = try file.integer("fixture.string") }
    }

    @Test func keepsTheOrderOfTheData() throws {
        let file = try GGUFFile(path: fixture("types.gguf"))
        #expect(file.tensorNames.prefix(5) == ["F32", "F64", "F16", "BF16", "Q4_0"])
        #expect(file.tensorNames.count == Self.types.count)
    }

    /// Against the compiler's own conversions, for all 65,536 values; NaNs stay NaNs.
    @Test func convertsEveryHalf() throws {
        let directory = try TemporaryDirectory()
        let header = """
            {"half":{"dtype":"F16","shape":[256,256],"data_offsets":[0,131072]},\
            "brain":{"dtype":"BF16","shape":[65536],"data_offsets":[131072,262144]}}
            """
        let all = (0...UInt16.max).flatMap { littleEndian($0) }
        let file = try SafetensorsFile(path: directory.write(safetensors(header, data: all + all)))
        let halves = try file.require("half").floats()
        let brains = try file.require("brain").floats()
        for pattern in 0...UInt16.max {
            let half = Float(Float16(bitPattern: pattern)), brain = Float(bitPattern: UInt32(pattern) << 16)
            let (foundHalf, foundBrain) = (halves[Int(pattern)], brains[Int(pattern)])
            guard half.isNaN ? foundHalf.isNaN : foundHalf.bitPattern == half.bitPattern,
                brain.isNaN ? foundBrain.isNaN : foundBrain.bitPattern == brain.bitPattern
            else {
                Issue.record("\(pattern): F16 \(foundHalf) for \(half), BF16 \(foundBrain) for \(brain)")
                return
            }
        }
    }
}
