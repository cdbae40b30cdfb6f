/// The records of a JSON text, one after another: the elements of its array, or, if it does not begin with "[", values
/// separated by white space (JSON Lines). Only one record is in parsed form at a time.
struct JSONRecordReader {
    /// How many records were begun; the number, counted from 1, of the latest.
    private(set) var recordNumber = 0
    private var parser: JSONParser
    private var recordOffset = 0
    private var layout = Layout.unknown

    private enum Layout { case unknown, array, lines, ended }

    init(_ bytes: [UInt8]) { parser = JSONParser(bytes) }

    /// Nil after the last record.
    mutating func next() throws -> JSONValue? {
        if layout == .unknown { try begin() } else { try separate() }
        guard layout == .array || layout == .lines else { return nil }
        recordOffset = parser.position
        recordNumber += 1
        return try parser.record()
    }

    /// The line, counted from 1, on which the latest record begins.
    var recordLine: Int { parser.lineAndColumn(at: recordOffset).line }

    /// ", record 3, line 4 column 17", to follow the file's name. The column counts bytes, from 1.
    func place(of error: JSONError) -> String {
        let (line, column) = parser.lineAndColumn(at: error.offset)
        let record = recordNumber > 0 && layout != .ended ? ", record \(recordNumber)" : ""
        return "\(record), line \(line) column \(column)"
    }

    private mutating func begin() throws {
        parser.skipByteOrderMark()
        parser.skipSpace()
        if parser.take("[") {
            layout = .array
            parser.skipSpace()
            if parser.take("]") { try end() }
        } else if parser.next == UInt8(ascii: "{") {
            layout = .lines
        } else if parser.next == nil {
            layout = .ended
        } else {
            throw parser.unexpected("a JSON array of records or JSON Lines")
        }
    }

    private mutating func separate() throws {
        parser.skipSpace()
        switch layout {
        case .array:
            if parser.take("]") { return try end() }
            guard parser.take(",") else { throw parser.unexpected("',' or ']' after the record") }
            parser.skipSpace()
        case .lines:
            if parser.next == nil { layout = .ended }
        case .unknown, .ended:
            break
        }
    }

    private mutating func end() throws {
        layout = .ended
        parser.skipSpace()
        guard parser.next == nil else { throw parser.unexpected("nothing after the array's ']'") }
    }
}
