import Foundation
import TensorCore

/// What a data file's records look like; the raw value is its name in a configuration.
public enum DatasetFormat: String, Sendable, CaseIterable {
    /// CounterFact (ROME, arXiv 2202.05262): the original nested records, or flat ones as EasyEdit publishes them.
    case counterfact
    /// zsRE question answering, as MEND (arXiv 2110.11309) or MALMEN (arXiv 2311.04661) publish it.
    case zsre
    /// A user's own edits: {"prompt", "target"}.
    case edits
}

/// Files of edits: a JSON array of records, or JSON Lines, whichever the file turns out to hold.
public enum DatasetFile {
    /// Larger files are refused before they fill the memory. CounterFact has 45 MB.
    static let maximumByteCount = 512 << 20

    /// The records in the file's order. Leading white space of answers is dropped.
    ///
    /// Throws `BadInput` for a file that cannot be read, is no JSON, holds no records, or has a record with a key
    /// missing, of the wrong type or blank; the error names file, record (counted from 1), line and key.
    /// A zsRE record whose `alt` is empty is left out: MEND found no alternative answer for it, and EasyEdit skips it too.
    public static func load(_ path: String, format: DatasetFormat) throws -> [EditRecord] {
        let file = oneLine(path)
        var reader = JSONRecordReader(try contents(of: path))
        var records: [EditRecord] = []
        do {
            while let json = try reader.next() {
                if let record = try convert(json, number: reader.recordNumber, format: format) { records.append(record) }
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
        guard case .object(let members) = json else {
            throw RecordError("should be an object, is \(json.kind)")
        }
        let fields = RecordFields(members)
        if let found = likelyFormat(of: fields), found != format {
            throw RecordError(
                "expected \(format == .edits ? "an" : "a") \(format.rawValue) record, found a \(found.rawValue) one; set format: \(found.rawValue)")
        }
        switch format {
        case .counterfact: return try CounterFact.record(from: fields, number: number)
        case .zsre: return try ZsRE.record(from: fields, number: number)
        case .edits: return try PlainEdit.record(from: fields, number: number)
        }
    }

    private static func likelyFormat(of fields: RecordFields) -> DatasetFormat? {
        if fields.has("requested_rewrite") || fields.has("target_new") { return .counterfact }
        return fields.has("src") ? .zsre : nil
    }

    private static func emptyFile(recordsSeen: Int, format: DatasetFormat) -> String {
        recordsSeen == 0
            ? "holds no records; expected at least one \(format.rawValue) record"
            : "none of its \(recordsSeen) records has an 'alt' to edit to; expected at least one that is not empty"
    }

    private static func contents(of path: String) throws -> [UInt8] {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw BadInput(oneLine(path), "no such file; expected a data set")
        }
        guard !isDirectory.boolValue else { throw BadInput(oneLine(path), "is a directory; expected a data set file") }
        let bytes: Data?
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            bytes = try handle.read(upToCount: maximumByteCount + 1)
        } catch {
            throw BadInput(oneLine(path), "cannot be read: \(oneLine(error.localizedDescription))")
        }
        guard let bytes, !bytes.isEmpty else {
            throw BadInput(oneLine(path), "is empty; expected a JSON array of records or JSON Lines")
        }
        guard bytes.count <= maximumByteCount else {
            throw BadInput(
                oneLine(path), "is larger than \(maximumByteCount >> 20) MiB, the most a data set may have; split it")
        }
        return [UInt8](bytes)
    }
}
