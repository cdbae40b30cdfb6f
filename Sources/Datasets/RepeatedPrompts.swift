import TensorCore

/// The records of a list whose prompt an earlier one has too: to the same target, or to another, which contradicts it.
package struct RepeatedPrompts: Sendable {
    /// Places in the list; the earlier one is the last before the later one that has its prompt.
    package struct Pair: Sendable, Equatable {
        package let earlier: Int
        package let later: Int
    }

    package private(set) var same: [Pair] = []
    package private(set) var contradicting: [Pair] = []
    private let records: [EditRecord]

    package init(_ records: [EditRecord]) {
        self.records = records
        var last: [[UInt8]: Int] = [:]  // by the bytes of the prompt, not by canonical equivalence
        last.reserveCapacity(records.count)
        for (index, record) in records.enumerated() {
            guard let earlier = last.updateValue(index, forKey: Array(record.prompt.utf8)) else { continue }
            if records[earlier].target.utf8.elementsEqual(record.target.utf8) {
                same.append(Pair(earlier: earlier, later: index))
            } else {
                contradicting.append(Pair(earlier: earlier, later: index))
            }
        }
    }

    /// Of edits that are applied in batches of `size`, one after another: throws `BadInput` where two of one batch contradict each other, which
    /// is one change of the model that cannot be both.
    package func checkBatches(of size: Int) throws {
        guard let pair = contradicting.first(where: { $0.earlier / size == $0.later / size }) else { return }
        let (one, other) = (records[pair.earlier], records[pair.later])
        throw BadInput(
            other.place,
            "is to give '\(excerpt(other.target))', but \(one.label) gives the same prompt the target "
                + "'\(excerpt(one.target))', and both are in one batch of edits; leave one of them out")
    }

    /// What to tell about edits that are applied one batch after another; empty if there is nothing. One line for each kind of repetition.
    package var notesOnEdits: [String] {
        var notes: [String] = []
        if !same.isEmpty { notes.append("\(file)\(listed(same) { "\($0.label) repeats \($1.label)" }): the same edit more than once") }
        if !contradicting.isEmpty {
            notes.append(
                "\(file)\(listed(contradicting) { "\($0.label) gives '\(excerpt($0.target))' where \($1.label) gave '\(excerpt($1.target))'" }): "
                    + "of edits with one prompt the later batch counts")
        }
        return notes
    }

    /// What to tell about a data set, in one line: published ones have a few such records. Nil if there is nothing.
    package var noteOnDataSet: String? {
        let pairs = (same + contradicting).sorted { $0.later < $1.later }
        guard !pairs.isEmpty else { return nil }
        let counts = [(same.count, "the same target"), (contradicting.count, "another target, which contradicts it")].filter { $0.0 > 0 }
        return "\(file)\(pairs.count) of \(records.count) records \(pairs.count == 1 ? "has" : "have") the prompt of an earlier one, "
            + counts.map { "\($0.0) with \($0.1)" }.joined(separator: " and ") + ": " + listed(pairs) { "\($0.label) that of \($1.label)" }
    }

    /// What to tell about edits that are made at their subject: of facts about the same subject a model sees it in the same place, before it sees what is asked. Nil if
    /// there are none.
    package var noteOnSubjects: String? {
        var last: [[UInt8]: Int] = [:], pairs: [Pair] = []
        for (index, record) in records.enumerated() {
            guard let subject = SubjectSpan.subject(of: record.prompt, given: record.subject) else { continue }
            if let earlier = last.updateValue(index, forKey: Array(subject.utf8)) { pairs.append(Pair(earlier: earlier, later: index)) }
        }
        guard !pairs.isEmpty else { return nil }
        return "\(file)\(pairs.count) of \(records.count) records \(pairs.count == 1 ? "is" : "are") about the subject of an earlier one: where edits are made at "
            + "their subject, later ones can take the place of earlier ones (editor.positions=prompt or all tells them apart): "
            + listed(pairs) { "\($0.label) and \($1.label)" }
    }

    private var file: String { records.first?.origin.map { "\($0.file): " } ?? "" }

    /// The first three, and how many more there are.
    private func listed(_ pairs: [Pair], _ text: (EditRecord, EditRecord) -> String) -> String {
        let shown = pairs.prefix(3).map { text(records[$0.later], records[$0.earlier]) }.joined(separator: "; ")
        return pairs.count > 3 ? shown + "; and \(pairs.count - 3) more" : shown
    }
}
