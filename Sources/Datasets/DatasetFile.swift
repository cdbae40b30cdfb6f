import Documents
import TensorCore

/// What a data file's records look like; the raw value is its name in a configuration.
public enum DatasetFormat: String, Sendable, CaseIterable {
    /// CounterFact (ROME, arXiv 2202.05262): the original nested records, or flat ones as EasyEdit publishes them.
    case counterfact
    /// zsRE question answering, as MEND (arXiv 2110.11309) or MALMEN (arXiv 2311.04661) publish it.
    case zsre
    /// A user's own edits: {"prompt", "target"}, with or without a "subject" that fills a "{}" in the prompt, or records in any of the other
    /// forms or in EasyEdit's, of which only prompt and target are needed.
    case edits
}

/// Files of edits: a JSON array of records, or JSON Lines, whichever the file turns out to hold.
public enum DatasetFile {
    /// Larger files are refused before they fill the memory. CounterFact has 45 MB.
    static let maximumByteCount = 512 << 20

    /// The records in the file's order. White space around answers and spaces at the end of prompts are dropped, for a prompt and its
    /// answer are joined by one space. Places left in prompts are filled with the subject; see ``Placeholder``.
    ///
    /// Throws `BadInput` for a file that cannot be read, is no JSON, holds no records, or has a record with a key
    /// missing, given twice, of the wrong type or blank, or a prompt that leaves a place for a subject that the record does not have; the error
    /// names file, record (counted from 1), line and key.
    /// A zsRE record whose `alt` is empty is left out: MEND found no alternative answer for it, and EasyEdit skips it too.
    public static func load(_ path: String, format: DatasetFormat) throws -> [EditRecord] {
        let file = oneLine(path)
        return try contents(of: path).withUnsafeBytes { try records(in: $0, file: file, format: format) }
    }

    private static func records(in text: UnsafeRawBufferPointer, file: String, format: DatasetFormat) throws -> [EditRecord] {
        var reader = JSONRecordReader(text)
        var records: [EditRecord] = []
        do {
            while let json = try reader.next() {
                guard var record = try convert(json, number: reader.recordNumber, format: format) else { continue }
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
    private static func convert(_ json: JSONValue, number: Int, format: DatasetFormat) throws -> EditRecord? {
        guard case .object(let object) = json else {
            throw RecordError("should be an object, is \(json.described)")
        }
        let fields = RecordFields(object)
        if let other = otherFormat(of: fields, than: format) { throw mismatch(fields, number: number, format, found: other) }
        return try convert(fields, number: number, format: format)
    }

    private static func convert(_ fields: RecordFields, number: Int, format: DatasetFormat) throws -> EditRecord? {
        switch format {
        case .counterfact: return try CounterFact.record(from: fields, number: number)
        case .zsre: return try ZsRE.record(from: fields, number: number)
        case .edits: return try UserEdit.record(from: fields, number: number)
        }
    }

    /// The format that the keys speak for, where it is another; a user's own edits may have any.
    private static func otherFormat(of fields: RecordFields, than format: DatasetFormat) -> DatasetFormat? {
        guard format != .edits else { return nil }
        let isCounterFact = fields.isGiven("requested_rewrite") || fields.isGiven("target_new")
        let found: DatasetFormat? = isCounterFact ? .counterfact : fields.isGiven("src") ? .zsre : nil
        return found == format ? nil : found
    }

    /// Says what else the other format needs, so that the advice leads somewhere.
    private static func mismatch(_ fields: RecordFields, number: Int, _ format: DatasetFormat, found: DatasetFormat) -> RecordError {
        guard number == 1 else {
            return RecordError("expected a \(format.rawValue) record as before it, found a \(found.rawValue) one; put the two in files of their own")
        }
        var advice = "set format: \(found.rawValue)"
        do { _ = try convert(fields, number: number, format: found) } catch let error as RecordError {
            advice += ", and mend what that needs: \(error.problem)"
        } catch {}
        return RecordError("expected a \(format.rawValue) record, found a \(found.rawValue) one; \(advice)")
    }

    private static func emptyFile(recordsSeen: Int, format: DatasetFormat) -> String {
        recordsSeen == 0
            ? "holds no records; expected at least one \(format.rawValue) record"
            : "none of its \(recordsSeen) records has an 'alt' to edit to; expected at least one that is not empty"
    }

    private static func contents(of path: String) throws -> [UInt8] {
        let bytes = try InputFile.read(path, atMost: maximumByteCount, what: "a data set")
        guard !bytes.isEmpty else { throw BadInput(oneLine(path), "is empty; expected a JSON array of records or JSON Lines") }
        return bytes
    }
}
