import Documents
import Foundation
import Reporting
import Testing

@Suite struct JSONTests {
    @Test func keysInTheOrderGivenOrSorted() {
        let value: JSONValue = ["b": 1, "a": ["z": 0.1, "y": [true, nil, "x"]]]
        #expect(value.text() == #"{"b": 1, "a": {"z": 0.1, "y": [true, null, "x"]}}"#)
        #expect(value.text(sortedKeys: true) == #"{"a": {"y": [true, null, "x"], "z": 0.1}, "b": 1}"#)
    }

    @Test func whatJSONCannotSayIsNull() {
        let numbers: [Double] = [.nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude]
        let value = JSONValue.array(numbers.map(JSONValue.number))
        #expect(value.text() == "[null, null, null, -0.0, 5e-324]")
    }

    @Test func anotherParserReadsTheSameBack() throws {
        let text = "\"\\\n\r\t\u{0}\u{1F}\u{7F}/é\u{2028}😀"
        let number = 0.1 + 0.2
        let object: JSONObject = ["text": .string(text), "number": .number(number), "integer": .integer(.min)]
        let line = JSONValue.object(object).text()
        #expect(!line.contains("\n"))
        let read = try JSONDecoder().decode(Parts.self, from: Data(line.utf8))
        #expect(read == Parts(text: text, number: number, integer: .min))
    }

    private struct Parts: Decodable, Equatable {
        let text: String
        let number: Double
        let integer: Int
    }

    @Test func settingAndRemovingKeysKeepsTheirOrder() {
        var object: JSONObject = ["a": 1, "b": 2]
        object["c"] = 3
        object["a"] = 4
        object["b"] = nil
        #expect(object.keys == ["a", "c"])
        #expect(JSONValue.object(object).text() == #"{"a": 4, "c": 3}"#)
    }

    @Test func outputIsOneLineAndAFullDiskAnError() throws {
        let pipe = Pipe()
        try JSONOutput.write(["a": "é"], to: pipe.fileHandleForWriting.fileDescriptor)
        try pipe.fileHandleForWriting.close()
        #expect(try pipe.fileHandleForReading.readToEnd() == Data("{\"a\": \"é\"}\n".utf8))
        let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
        #expect(throws: ReportingError.self) { try JSONOutput.write([:], to: full.fileDescriptor) }
    }
}
