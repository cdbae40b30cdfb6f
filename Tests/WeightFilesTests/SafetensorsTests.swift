import Foundation
import TensorCore
import TestSupport
import Testing
import WeightFiles

@Suite struct SafetensorsTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func readsTensors() throws {
        // Padded so that the data begin at a multiple of 8, as the reference writer does.
        var header = """
            {"__metadata__":{"format":"pt"},"b\\u00e9\\ud83d\\ude00":{"dtype":"I64","shape":[1],"data_offsets":[28,36]},\
            "a":{"shape":[2,3],"extra":[{"x":-1.5e3}],"data_offsets":[4,28],"dtype":"F32"},\
            "scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"none":{"dtype":"F16","shape":[3,0],"data_offsets":[36,36]}}
            """
        while header.utf8.count % 8 != 0 { header += " " }
        let values: [Float] = [9, 1, 2, 3, 4, 5, 6]
        let data = values.flatMap { littleEndian($0.bitPattern) } + littleEndian(Int64(-1))
        let file = try SafetensorsFile(path: directory.write(safetensors(header, data: data)))

        #expect(file.metadata == ["format": "pt"])
        #expect(file.tensorNames == ["scalar", "a", "bé😀", "none"])
        let a = try file.require("a", shape: [2, 3])
        #expect(a.rows == 2 && a.columns == 3 && a.elementCount == 6)
        #expect(try a.floats() == [1, 2, 3, 4, 5, 6])
        #expect(try #require(a.mappedFloats)[5] == 6)
        let scalar = try file.require("scalar")
        #expect(scalar.rows == 1 && scalar.columns == 1)
        #expect(try scalar.floats() == [9])
        let none = try file.require("none")
        #expect(none.rows == 3 && none.columns == 0 && none.mappedFloats == nil)
        #expect(try none.floats() == [])
        #expect(file.tensor("c") == nil)
        expectRefusal("'c' is missing") { _ = try file.require("c") }
        expectRefusal("'a' is [2, 3]; expected [3, 2]") { _ = try file.require("a", shape: [3, 2]) }
        expectRefusal("is I64, which cannot be decoded") { _ = try file.require("bé😀").floats() }
    }

    @Test func readsMisalignedFloats() throws {
        let header = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        let padded = header + String(repeating: " ", count: 1 + (8 - header.utf8.count % 8) % 8)
        let file = try SafetensorsFile(path: directory.write(safetensors(padded, data: littleEndian(Float(2).bitPattern))))
        let tensor = try file.require("a")
        #expect(tensor.mappedFloats == nil)
        #expect(try tensor.floats() == [2])
    }

    struct Refusal: CustomTestStringConvertible {
        let header: String
        var dataCount = 4
        let fragment: String
        var testDescription: String { fragment }
    }

    static func entry(_ dtype: String, _ shape: String, _ offsets: String) -> String {
        #"{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}"#
    }

    static let good = entry("F32", "[1]", "[0,4]")

    static let refusals: [Refusal] = [
        Refusal(header: "", fragment: "expected '{', found the end"),
        Refusal(header: "[]", fragment: "expected '{', found '["),
        Refusal(header: #"{"a":"#, fragment: "expected '{', found the end"),
        Refusal(header: #"{"a":\#(good)} x"#, fragment: "expected the end, found 'x'"),
        Refusal(header: #"{"a":\#(good),}"#, fragment: "expected a key in quotes, found '}'"),
        Refusal(header: #"{"a":\#(good),"a":\#(good)}"#, fragment: "the key 'a' appears twice"),
        Refusal(header: #"{"a":\#(good),"\u0061":\#(good)}"#, fragment: "the key 'a' appears twice"),
        Refusal(header: #"{"a":{"dtype":"F32","dtype":"F32"}}"#, fragment: "the key 'dtype' appears twice"),
        Refusal(header: #"{"a":{"dtype":"F32","shape":[1]}}"#, fragment: "expected dtype, shape and data_offsets"),
        Refusal(header: #"{"a":\#(entry("F32", "[1]", "[0]"))}"#, fragment: "data_offsets with two numbers"),
        Refusal(header: #"{"a":\#(entry("F32", "[1]", "[0,4,8]"))}"#, fragment: "more than 2 numbers"),
        Refusal(header: #"{"a":\#(entry("F99", "[1]", "[0,4]"))}"#, fragment: "unknown dtype 'F99'; expected one of BF16"),
        Refusal(header: #"{"a":\#(entry("Q4_0", "[32]", "[0,18]"))}"#, dataCount: 18, fragment: "unknown dtype 'Q4_0'"),
        Refusal(header: #"{"a":\#(entry("F32", "[2]", "[0,4]"))}"#, fragment: "needs 8 bytes from byte"),
        Refusal(header: #"{"a":\#(entry("F16", "[1]", "[0,4]"))}"#, fragment: "takes 2 bytes, but data_offsets [0, 4] give it 4"),
        Refusal(header: #"{"a":\#(entry("F32", "[1]", "[0,8]"))}"#, fragment: "not within the file's 4 bytes of data"),
        Refusal(header: #"{"a":\#(entry("F32", "[1]", "[4,0]"))}"#, fragment: "not within"),
        Refusal(header: #"{"a":\#(entry("F32", "[1]", "[4,8]"))}"#, dataCount: 8, fragment: "leaves a hole before it"),
        Refusal(header: #"{"a":\#(good),"b":\#(good)}"#, fragment: "overlaps the tensor before it"),
        Refusal(header: #"{"a":\#(good)}"#, dataCount: 5, fragment: "the last 1 bytes belong to no tensor"),
        Refusal(header: #"{"a":\#(entry("F32", "[-1]", "[0,4]"))}"#, fragment: "expected a whole number from 0, found '-1"),
        Refusal(header: #"{"a":\#(entry("F32", "[1.0]", "[0,4]"))}"#, fragment: "found a fraction"),
        Refusal(header: #"{"a":\#(entry("F32", "[01]", "[0,4]"))}"#, fragment: "a number starts with 0"),
        Refusal(header: #"{"a":\#(entry("F32", "[9223372036854775808]", "[0,4]"))}"#, fragment: "too large"),
        Refusal(header: #"{"a":\#(entry("F32", "[4294967296,4294967296]", "[0,4]"))}"#, fragment: "too many elements"),
        Refusal(header: #"{"a":\#(entry("F32", "[4294967296,4294967296,0]", "[0,0]"))}"#, fragment: "too many elements"),
        Refusal(header: #"{"a":\#(entry("F32", "[9223372036854775807]", "[0,4]"))}"#, fragment: "too many bytes"),
        Refusal(
            header: #"{"a":\#(entry("F32", "[\(Array(repeating: "1", count: 99).joined(separator: ","))]", "[0,4]"))}"#,
            fragment: "shape has more than 16 numbers"),
        Refusal(header: #"{"__metadata__":{"a":1}}"#, dataCount: 0, fragment: "expected a string in quotes, found '1"),
        Refusal(header: #"{"a":\#(good),"__metadata__":{},"__metadata__":{}}"#, fragment: "appears twice"),
        Refusal(header: #"{"a\ud800":\#(good)}"#, fragment: "half of a surrogate pair"),
        Refusal(header: #"{"a\q":\#(good)}"#, fragment: "expected an escape"),
        Refusal(header: "{\"a\u{1}\":\(good)}", fragment: "control character"),
        Refusal(header: #"{"a":{"x":\#(String(repeating: "[", count: 100_000))"#, fragment: "nested deeper than 64 levels"),
        Refusal(
            header: #"{"line\n\#(String(repeating: "long", count: 9999))":\#(entry("?", "[]", "[0,4]"))}"#,
            fragment: #"tensor 'line\nlong"#),
    ]

    @Test(arguments: refusals) func refuses(refusal: Refusal) throws {
        let data = [UInt8](repeating: 0, count: refusal.dataCount)
        let path = try directory.write(safetensors(refusal.header, data: data))
        expectRefusal(refusal.fragment) { _ = try SafetensorsFile(path: path) }
    }

    @Test func refusesImpossibleHeaderLengths() throws {
        for (bytes, fragment) in [
            ([1, 2, 3], "not a safetensors file: 3 bytes"),
            (littleEndian(UInt64(3)) + [0x7B, 0x7D], "the header should have 3 bytes, but 2 follow"),
            (littleEndian(UInt64(100_000_001)), "not a safetensors file: the header would have 100000001 bytes"),
            (littleEndian(UInt64.max), "would have 18446744073709551615 bytes"),
            (littleEndian(UInt64(7)) + Array(#"{"a":"#.utf8) + [0xFF, 0xFE], "found byte 255"),
            (littleEndian(UInt64(6)) + Array(#"{"a"#.utf8) + [0xC3, 0x22, 0x7D], "not UTF-8"),
        ] as [([UInt8], String)] {
            let path = try directory.write(bytes)
            expectRefusal(fragment) { _ = try SafetensorsFile(path: path) }
        }
    }

    @Test func refusesFilesThatCannotBeMapped() throws {
        let pipe = directory.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        expectRefusal("cannot be opened: No such file") { _ = try MappedFile.open(directory.path + "/absent") }
        expectRefusal("is a directory") { _ = try MappedFile.open(directory.path) }
        expectRefusal("the file is empty") { _ = try MappedFile.open(directory.write([])) }
        expectRefusal("not a regular file") { _ = try MappedFile.open(pipe) }
    }
}
