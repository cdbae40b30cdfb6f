/// A table for the terminal: columns padded to their widest cell, two spaces apart, a rule below the titles.
///
///                    before   after
///     -------------  ------  ------
///     efficacy         34.0    87.5
///
/// A column is set flush right if it holds at least one number and otherwise only numbers, "-" and empty cells; a sign
/// before the number and a "%" after it belong to it. Widths are counted in characters; characters that a terminal
/// draws two columns wide are not accounted for.
package struct TextTable: Sendable {
    private let titles: [String]
    private var rows: [[String]] = []

    package init(_ titles: [String]) {
        self.titles = titles.map(oneLine)
    }

    /// As many cells as there are titles.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == titles.count, "\(cells.count) cells in a table of \(titles.count) columns: \(cells)")
        rows.append(cells.map(oneLine))
    }

    /// The lines, each with its line feed and without blanks at its end.
    package var text: String {
        let columns = titles.indices.map { column in [titles[column]] + rows.map { $0[column] } }
        let widths = columns.map { cells in cells.map(\.count).max() ?? 0 }
        let isRight = columns.map { cells in isNumeric(cells.dropFirst()) }
        let rule = widths.map { String(repeating: "-", count: $0) }
        return ([titles, rule] + rows).map { cells in
            let padded = cells.indices.map { column in
                let blanks = String(repeating: " ", count: widths[column] - cells[column].count)
                return isRight[column] ? blanks + cells[column] : cells[column] + blanks
            }
            return trimmedAtEnd(padded.joined(separator: "  ")) + "\n"
        }.joined()
    }
}

private func oneLine(_ text: String) -> String {
    String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
}

private func isNumeric(_ cells: ArraySlice<String>) -> Bool {
    let filled = cells.filter { !$0.isEmpty && $0 != "-" }
    return !filled.isEmpty && filled.allSatisfy { Double($0.hasSuffix("%") ? $0.dropLast() : $0[...]) != nil }
}

private func trimmedAtEnd(_ line: String) -> Substring {
    line.lastIndex { $0 != " " }.map { line[...$0] } ?? ""
}
