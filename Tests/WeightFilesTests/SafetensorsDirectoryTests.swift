import Foundation
import TensorCore
import TestSupport
import Testing
import WeightFiles

@Suite struct SafetensorsDirectoryTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func writeShard(_ file: String, _ tensor: String, _ value: Float) throws {
        let header = #"{"\#(tensor)":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        _ = try directory.write(safetensors(header, data: littleEndian(value.bitPattern)), to: file)
    }

    private func writeIndex(_ weightMap: String) throws {
        let text = #"{"metadata":{"total_size":8.0},"weight_map":\#(weightMap)}"#
        _ = try directory.write(Array(text.utf8), to: "model.safetensors.index.json")
    }

    @Test func readsShards() throws {
        try writeShard("model-1.safetensors", "b", 1)
        try writeShard("model-2.safetensors", "a", 2)
        try writeIndex(#"{"b":"model-1.safetensors","a":"model-2.safetensors"}"#)
        let model = try SafetensorsDirectory(directory: directory.path)
        #expect(model.path == directory.path)
        #expect(model.tensorNames == ["a", "b"])
        #expect(try model.require("a").floats() == [2])
        #expect(try model.require("b").floats() == [1])
    }

    @Test func prefersTheSingleFile() throws {
        try writeShard("model.safetensors", "a", 3)
        try writeIndex(#"{"a":"absent"}"#)
        #expect(try SafetensorsDirectory(directory: directory.path).require("a").floats() == [3])
    }

    @Test(arguments: [
        (#"{"a":"../x.safetensors"}"#, "puts 'a' into '../x.safetensors'; expected a file name"),
        (#"{"a":"/etc/passwd"}"#, "puts 'a' into '/etc/passwd'"),
        (#"{"a":".."}"#, "puts 'a' into '..'"),
        (#"{"a":""}"#, "puts 'a' into ''"),
        (#"{"a":"x\u0000y"}"#, #"puts 'a' into 'x\0y'"#),
        (#"{"a":"x\u0085y"}"#, #"puts 'a' into 'x\u{0085}y'"#),
        (#"{"a":"x\u2028y"}"#, #"puts 'a' into 'x\u{2028}y'"#),
        (#"{"a":"\#(String(repeating: "n", count: 256))"}"#, "puts 'a' into 'nnn"),
        (#"{"a":"model.safetensors.index.json"}"#, "not a safetensors file"),
        (#"{"a":"absent.safetensors"}"#, "absent.safetensors: cannot be opened"),
        (#"{"a":"model-1.safetensors"}"#, "model-1.safetensors: tensor 'a' is missing"),
        (#"{"b":"model-1.safetensors","b":"model-1.safetensors"}"#, "the key 'b' appears twice"),
        (#"{"b":1}"#, "expected a string in quotes, found '1"),
        (#"{"b":"model-1.safetensors"},"weight_map":{}"#, "the key 'weight_map' appears twice"),
        (#"[]"#, "expected '{'"),
        (#"{}"#, "no weight_map"),
    ])
    func refusesIndex(weightMap: String, fragment: String) throws {
        try writeShard("model-1.safetensors", "b", 1)
        try writeIndex(weightMap)
        expectRefusal(fragment) { _ = try SafetensorsDirectory(directory: directory.path) }
    }

    @Test func refusesOtherDirectories() throws {
        expectRefusal("holds neither") { _ = try SafetensorsDirectory(directory: directory.path) }
        expectRefusal("no such directory") { _ = try SafetensorsDirectory(directory: directory.path + "/absent") }
    }
}
