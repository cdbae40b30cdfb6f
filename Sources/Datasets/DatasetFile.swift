import Documents
import TensorCore

/// Files of edits: a JSON array of records, or JSON Lines, whichever the file turns out to hold.
package enum DatasetFile {
    /// Larger files are refused before they fill the memory. CounterFact has 45 MB.
    static let maximumByteCount = 512 << 20

    /// The records in the file's order. White space around answers and spaces at the end of prompts are dropped, for a prompt and its
    /// answer are joined by one space. Places left in prompts are filled with the subject; see ``Placeholder``.
    ///
    /// Throws `BadInput` for a file that cannot be read, is no JSON, holds no records, or has a record with a key
    /// missing, given twice, of the wrong type or blank, or a prompt that leaves a place for a subject that the record does not have; the error
    /// names file, record (counted from 1), line and key.
    /// Without a format, that which the first record's keys speak for.
    package static func load(_ path: String, format: DatasetFormat? = nil) throws -> [EditRecord] {
        let file = oneLine(path)
        return try contents(of: path).withUnsafeBytes { try records(in: $0, file: file, format: format) }
    }

    private static func records(in text: UnsafeRawBufferPointer, file: String, format forced: DatasetFormat?) throws -> [EditRecord] {
        var reader = JSONRecordReader(text)
        var records: [EditRecord] = [], format = forced
        do {
            while let json = try reader.next() {
                guard var record = try convert(json, number: reader.recordNumber, format: &format) else { continue }
                record.origin = RecordOrigin(file: file, number: reader.recordNumber)
                records.append(record)
            }
        } catch let error as JSONError {
            throw BadInput(file + reader.place(of: error), error.problem)
        } catch let error as RecordError {
            throw BadInput("\(file), record \(reader.recordNumber) (line \(reader.recordLine))", error.problem)
        }
        guard !records.isEmpty else { throw BadInput(file, emptyFile(recordsSeen: reader.recordNumber, format: format)) }
        return records
    }

    /// Nil for a record that the format's users leave out.
    private static func convert(_ json: JSONValue, number: Int, format: inout DatasetFormat?) throws -> EditRecord? {
        guard case .object(let object) = json else { throw RecordError("should be an object, is \(json.described)") }
        let fields = RecordFields(object), found = DatasetFormat.recognized(in: fields), expected = format ?? found ?? .edits
        format = expected
        if expected != .edits, let found, found != expected { throw mismatch(fields, number: number, expected, found: found) }
        return try expected.read(fields, number)
    }

    /// Says what else the other format needs, so that the advice leads somewhere.
    private static func mismatch(_ fields: RecordFields, number: Int, _ format: DatasetFormat, found: DatasetFormat) -> RecordError {
        guard number == 1 else {
            return RecordError("expected a \(format.name) record as before it, found a \(found.name) one; put the two in files of their own")
        }
        var advice = "set format: \(found.name)"
        do { _ = try found.read(fields, number) } catch let error as RecordError {
            advice += ", and mend what that needs: \(error.problem)"
        } catch {}
        return RecordError("expected a \(format.name) record, found a \(found.name) one; \(advice)")
    }

    private static func emptyFile(recordsSeen: Int, format: DatasetFormat?) -> String {
        recordsSeen == 0
            ? "holds no records; expected at least one \(format.map { "\($0.name) " } ?? "")record"
            : "none of its \(recordsSeen) records has \(format?.requirement ?? ""); expected at least one that is not empty"
    }

    private static func contents(of path: String) throws -> [UInt8] {
        let bytes = try InputFile.read(path, atMost: maximumByteCount, what: "a data set")
        guard !bytes.isEmpty else { throw BadInput(oneLine(path), "is empty; expected a JSON array of records or JSON Lines") }
        return bytes
    }
}
