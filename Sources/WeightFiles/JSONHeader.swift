import Documents
import TensorCore

extension JSONParser {
    /// Reads `text`, one JSON object, member by member, without making a tree of it: `body` gets every key, with the parser before its value, which it
    /// must read. Throws `BadInput` that names the byte; `subject` is what the text is, for messages: "header".
    static func readObject(
        in text: UnsafeRawBufferPointer, path: String, subject: String, _ body: (inout JSONParser, _ key: String) throws -> Void
    ) throws {
        var parser = JSONParser(text)
        do {
            try parser.object(body)
            try parser.finish()
        } catch let error as JSONError {
            throw BadInput(path, "the \(subject) at byte \(error.offset): \(error.problem)")
        }
    }
}
