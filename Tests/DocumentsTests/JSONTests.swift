import Documents
import Foundation
import TensorCore
import Testing

private func parse(_ text: String, _ options: JSONParser.Options = .init()) throws -> JSONValue {
    try JSONValue(parsing: Data(text.utf8), file: "f.json", options: options)
}

private func failure(_ bytes: some ContiguousBytes, _ options: JSONParser.Options = .init()) -> String {
    do {
        return "no error, but \(try JSONValue(parsing: bytes, file: "f.json", options: options))"
    } catch {
        return "\(error)"
    }
}

private func failure(_ text: String, _ options: JSONParser.Options = .init()) -> String { failure(Data(text.utf8), options) }

/// What RFC 8259 allows is read, and nothing else.
@Suite struct JSONTests {
    @Test func readsEveryKindOfValue() throws {
        let value = try parse(" {\"a\" : [1, -0.5e+2, true, false, null, \"x\\n\\u00e9\\ud83d\\ude00/\\/\"] , \"b\":{}, \"\":[]}\r\n\t")
        let members = try #require(value.object)
        #expect(members.keys == ["a", "b", ""])
        #expect(members["a"] == .array([.integer(1), .number(-50), .bool(true), .bool(false), .null, .string("x\né😀//")]))
        #expect(members["b"] == .object([:]) && members[""] == .array([]))
        for scalar in ["0", "-0", "9223372036854775807", "1E400", "\"\"", "null"] { #expect(throws: Never.self) { try parse(scalar) } }
    }

    @Test(arguments: [
        "", " ", "01", "+1", "1.", ".5", "-", "1e", "1e+", "0x1", "NaN", "Infinity", "tru", "True", "nul", "'a'", "\"a", "\"\\x\"", "\"\\u12g4\"",
        "\"\t\"", "\"\\ud800\"", "\"\\udc00x\"", "\"\\ud800\\u0041\"", "[1,]", "[,1]", "[1 2]", "[1", "]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{a:1}", "{\"a\":1 \"b\":2}", "1 2", "[1]x", "/* c */ 1", "\u{FEFF}1", "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":2}",
    ]) func refusesWhatIsNoJSON(text: String) {
        let found = failure(text)
        #expect(found.hasPrefix("f.json, line 1 column ") && found.contains(": is not JSON: "), "\(text): \(found)")
    }

    @Test func saysWhere() {
        #expect(failure("{\"a\": 1,\n \"b\": [1,\n  2,, 3]}").hasPrefix("f.json, line 3 column 5: "))
        #expect(failure("[\"\u{e9}\", x]").hasPrefix("f.json, line 1 column 8: "), "columns are bytes")
    }

    @Test func refusesBytesThatAreNoUTF8() {
        for bytes in [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC3, 0x22]] as [[UInt8]] {
            #expect(failure(bytes).contains("is not JSON"), "\(bytes)")
        }
    }

    /// Keys are equal where their scalars are: two spellings of é are two keys.
    @Test func keysAreComparedByTheirScalars() throws {
        #expect(try parse("{\"\u{e9}\":1,\"e\u{301}\":2}").object?.count == 2)
    }

    @Test func depthAndNumbersOfValuesAreBounded() throws {
        func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(throws: Never.self) { try parse(nested(JSONParser.deepest)) }
        #expect(failure(nested(JSONParser.deepest + 1)).contains("is not JSON"))
        #expect(failure(String(repeating: "[", count: 1 << 20)).contains("is not JSON"))
        var few = JSONParser.Options()
        few.mostValues = 4
        #expect(throws: Never.self) { try parse("[1,2,3]", few) }
        #expect(failure("[1,2,3,4]", few).contains("is not JSON"))
    }

    @Test func numbersKeepTheirBitsOrTheirSpelling() throws {
        var spelled = JSONParser.Options()
        spelled.keepsSpelling = true
        #expect(try parse("[1.50, 12345678901234567890123]", spelled) == .array([.digits("1.50"), .digits("12345678901234567890123")]))
        #expect(failure("1e400", .exact).contains("is not JSON"))
        for value in [0.1, 1e-310, 5e-324, .greatestFiniteMagnitude, -0.0, 1 / 3] {
            let read = try parse(try JSONValue.array([.number(value)]).canonicalText(), .exact)
            #expect(read.array?.first?.double?.bitPattern == value.bitPattern, "\(value)")
        }
    }

    @Test func canonicalTextDoesNotDependOnOrder() throws {
        let one = try parse("{\"b\": [1, {\"d\": 2, \"c\": null}], \"a\": \"\\u0001\\\"\"}"), other = try parse("{\"a\":\"\\u0001\\\"\",\"b\":[1,{\"c\":null,\"d\":2}]}")
        #expect(try one == other && one.canonicalText() == other.canonicalText())
        #expect(try one.canonicalText() == #"{"a":"\u0001\"","b":[1,{"c":null,"d":2}]}"#)
        #expect(try parse(one.prettyText()) == one && parse(one.text()) == one)
        #expect(throws: BadInput.self) { try JSONValue.number(.nan).canonicalText() }
        #expect(JSONValue.array([.number(.infinity), .number(.nan)]).text() == "[null, null]")
    }

    @Test func nodesNameThePlace() throws {
        let root = JSONNode(value: try parse(#"{"model": {"merges": ["a", 3], "size": -1, "none": null}}"#), file: "t.json")
        let model = try root.required("model")
        #expect(try model.required("merges").elements()[0].string() == "a" && model.optional("none") == nil)
        func message(_ body: () throws -> some Any) -> String { do { return "\(try body())" } catch { return "\(error)" } }
        #expect(message { try model.required("merges").elements()[1].string() }.hasPrefix("t.json, model.merges[1]: expected a string, found "))
        #expect(message { try model.required("size").natural() } == "t.json, model.size: is -1, expected 0 or more")
        #expect(message { try model.required("none") } == "t.json, model: has no 'none'")
        #expect(message { try root["model"]["merges"]["x"].object() }.hasPrefix("t.json, model.merges.x: expected an object, found nothing"))
    }
}
