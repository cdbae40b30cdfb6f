import Checkpointing
import Documents
import TensorCore
import Testing

@Suite struct DocumentValueTests {
    @Test func numbersSurviveAndTextIsCanonical() throws {
        let value: JSONValue = [
            "b": [0.1, 1.0, -0.0, 1e18, .number(.leastNonzeroMagnitude), 1.7976931348623157e308, 3], "a": [.integer(.max), .integer(.min), true, nil],
            "é\u{1}\"\\🙂": [:],
        ]
        let text = try value.canonicalText()
        #expect(text.hasPrefix("{\"a\":[9223372036854775807,-9223372036854775808,true,null],\"b\":[0.1,1.0,-0.0,1e+18,5e-324,"))
        for form in [text, try value.prettyText()] {
            let again = try JSONValue(parsing: Array(form.utf8), file: "test", options: .exact)
            #expect(try again.canonicalText() == text)
        }
        #expect(throws: (any Error).self) { try JSONValue.number(.nan).canonicalText() }
    }

    @Test func codableValuesKeepTheirBits() throws {
        struct Counters: Codable, Equatable { var batches: Int, loss: Double, history: [Float] }
        let counters = Counters(batches: 7, loss: 1.0 / 3, history: [0.1, -0.0, .leastNonzeroMagnitude])
        let again = try JSONValue(encoding: counters).decode(Counters.self, location: "test")
        #expect(again == counters)
        #expect(again.history[1].sign == .minus)
        #expect(throws: BadInput.self) { try JSONValue.string("x").decode(Counters.self, location: "test") }
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":1,\"a\":2}", "01", "1.", "-", "1e", "1e999", "9223372036854775808", "\"\\ud800\"", "\"\\u12", "\"\\",
        "\"a", "nul", "[1] 2", "\"\u{7}\"", "{1:2}", "+1", "\"\\u+123\"",
    ])
    func malformedTextIsRefused(_ text: String) {
        #expect(throws: BadInput.self) { try JSONValue(parsing: Array(text.utf8), file: "test", options: .exact) }
    }

    @Test func deepAndBrokenTextIsRefused() {
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(throws: BadInput.self) { try JSONValue(parsing: deep, file: "test", options: .exact) }
        #expect(throws: BadInput.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22], file: "test", options: .exact) }
        #expect(throws: BadInput.self) { try JSONValue(parsing: [0x22, 0x5C], file: "test", options: .exact) }
    }
}
