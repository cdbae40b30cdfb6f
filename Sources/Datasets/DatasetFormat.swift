/// A form of data files: how its records are told from others, and read. A form is a file that declares one of these, and its line in `all`.
package struct DatasetFormat: Sendable, Equatable {
    /// As configurations name it.
    package let name: String
    /// Whether a record's keys speak for it.
    let isRecognized: @Sendable (RecordFields) -> Bool
    /// Reads the record with this number, counted from 1; nil for one that the form's users leave out.
    let read: @Sendable (_ fields: RecordFields, _ number: Int) throws -> EditRecord?
    /// What records have that are not left out.
    let requirement: String

    init(
        _ name: String, requirement: String = "", isRecognized: @escaping @Sendable (RecordFields) -> Bool,
        read: @escaping @Sendable (_ fields: RecordFields, _ number: Int) throws -> EditRecord?
    ) {
        self.name = name
        self.requirement = requirement
        self.isRecognized = isRecognized
        self.read = read
    }

    /// In the order in which they are tried; the last takes whatever no other does.
    package static let all: [DatasetFormat] = [.mquake, .counterfact, .zsre, .fever, .rippleedits, .edits]

    package static func == (a: DatasetFormat, b: DatasetFormat) -> Bool { a.name == b.name }

    /// The form that a record's keys speak for; a user's own edits have no keys of their own.
    static func recognized(in fields: RecordFields) -> DatasetFormat? { all.first { $0 != .edits && $0.isRecognized(fields) } }
}
