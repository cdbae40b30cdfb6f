import Documents

/// The records of a JSON text, one after another: the elements of its array, or, if it does not begin with "[", values
/// separated by white space (JSON Lines). Only one record is in parsed form at a time. The text must outlive the reader.
///
/// The size of a record is bounded, so that a hostile file does not take the memory of a tree.
struct JSONRecordReader {
    /// Bytes of one record; those of the published data sets have a few thousand.
    private static let maximumRecordSize = 1 << 20

    /// How many records were begun; the number, counted from 1, of the latest.
    private(set) var recordNumber = 0
    private let text: UnsafeRawBufferPointer
    private var parser: JSONParser
    private var recordOffset = 0
    private var layout = Layout.unknown

    private enum Layout { case unknown, array, lines, ended }

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
        var options = JSONParser.Options()
        options.keepsSpelling = true  // of identifiers
        parser = JSONParser(text, options: options)
    }

    /// Nil after the last record.
    mutating func next() throws -> JSONValue? {
        if layout == .unknown { try begin() } else { try separate() }
        guard layout == .array || layout == .lines else { return nil }
        recordOffset = parser.position
        recordNumber += 1
        return try parser.value(atMost: Self.maximumRecordSize, what: "record")
    }

    /// The line, counted from 1, on which the latest record begins.
    var recordLine: Int { JSONError(offset: recordOffset, problem: "").lineAndColumn(in: text).line }

    /// ", record 3, line 4 column 17", to follow the file's name. The column counts bytes, from 1.
    func place(of error: JSONError) -> String {
        let (line, column) = error.lineAndColumn(in: text)
        let record = recordNumber > 0 && layout != .ended ? ", record \(recordNumber)" : ""
        return "\(record), line \(line) column \(column)"
    }

    private mutating func begin() throws {
        parser.skipByteOrderMark()
        if parser.take("[") {
            layout = .array
            if parser.take("]") { try end() }
        } else if parser.sees("{") {
            layout = .lines
        } else if parser.isAtEnd {
            layout = .ended
        } else {
            throw parser.unexpected("a JSON array of records or JSON Lines")
        }
        parser.skipSpace()
    }

    private mutating func separate() throws {
        switch layout {
        case .array:
            if parser.take("]") { return try end() }
            guard parser.take(",") else { throw parser.unexpected("',' or ']' after the record") }
            parser.skipSpace()
        case .lines:
            parser.skipSpace()
            if parser.isAtEnd { layout = .ended }
        case .unknown, .ended:
            break
        }
    }

    private mutating func end() throws {
        layout = .ended
        try parser.finish(expecting: "nothing after the array's ']'")
    }
}

extension JSONValue {
    /// What it is, for messages.
    var described: String {
        switch self {
        case .array: "a list"
        case .string(let text): "the text '\(excerpt(text))'"
        case .digits(let digits): "the number \(excerpt(digits))"
        case .bool(let value): "\(value)"
        default: kind
        }
    }
}
