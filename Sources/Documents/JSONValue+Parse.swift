import Foundation
import TensorCore

extension JSONValue {
    /// The one value that fills `text`. Throws `BadInput` that names the file, line and column.
    package init(parsing text: UnsafeRawBufferPointer, file: String, options: JSONParser.Options = .init()) throws {
        var parser = JSONParser(text, options: options)
        do {
            self = try parser.value()
            try parser.finish()
        } catch let error as JSONError {
            let (line, column) = error.lineAndColumn(in: text)
            throw BadInput("\(file), line \(line) column \(column)", "is not JSON: \(error.problem)")
        }
    }

    /// As `init(parsing:file:options:)`.
    package init(parsing text: some ContiguousBytes, file: String, options: JSONParser.Options = .init()) throws {
        self = try text.withUnsafeBytes { try JSONValue(parsing: $0, file: file, options: options) }
    }

    /// From any `Encodable`; doubles keep their bits. Throws for NaN, infinity and integers beyond 64 bits signed.
    package init(encoding value: some Encodable) throws {
        self = try JSONValue(parsing: try JSONEncoder().encode(value), file: "document", options: .exact)
    }

    /// As a `Decodable`; throws `BadInput` at `location` if it does not fit.
    package func decode<T: Decodable>(_ type: T.Type, location: String) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(try canonicalText().utf8))
        } catch let error as DecodingError {
            throw BadInput(location, "the document does not hold a \(T.self): \(error)")
        }
    }
}
