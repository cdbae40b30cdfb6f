import Editors
import TensorCore

/// The captured rows of a group of modules, one module's below the other's; and of them the share that this rank runs the
/// hypernetwork on.
struct GroupRows {
    /// Rows of each module, on all ranks.
    let perModule: Int
    let count: Int
    /// This rank's, among all.
    let own: Range<Int>
    private let shape: ModuleShape
    private let captured: [(keys: Matrix, gradients: Matrix)]  // of each module the rows that are this rank's

    init(_ group: Editor.Group, _ rows: [(keys: Matrix, gradients: Matrix)], work: ShardedWork) {
        perModule = rows[0].keys.rows
        count = perModule * rows.count
        own = work.ownShare(of: count)
        shape = group.shape
        captured = zip(rows.indices, rows).map { [perModule, own] module, rows in
            let part = Self.rows(of: module, among: own, perModule)
            if part.count == perModule { return rows }
            return (rows.keys.rows(part).copy(), rows.gradients.rows(part).copy())  // others' rows need not live as long
        }
    }

    /// Of rows `range` of the group, those of module `module`, counted within it.
    private static func rows(of module: Int, among range: Range<Int>, _ perModule: Int) -> Range<Int> {
        let all = module * perModule..<(module + 1) * perModule
        let part = range.clamped(to: all)
        return part.isEmpty ? 0..<0 : part.lowerBound - all.lowerBound..<part.upperBound - all.lowerBound
    }

    /// The modules, among the group's, that have some of the group's rows `range`, with these rows, counted within each.
    func parts(_ range: Range<Int>) -> [(module: Int, rows: Range<Int>)] {
        captured.indices.map { ($0, Self.rows(of: $0, among: range, perModule)) }.filter { !$0.1.isEmpty }
    }

    /// Keys and gradients of the group's rows `range`, which are this rank's, and the module of each.
    func stacked(_ range: Range<Int>) -> (keys: Matrix, gradients: Matrix, modules: [Int]) {
        let parts = parts(range)
        let rows = parts.map { module, rows in
            let first = Self.rows(of: module, among: own, perModule).lowerBound, part = rows.lowerBound - first..<rows.upperBound - first
            return (keys: captured[module].keys.rows(part), gradients: captured[module].gradients.rows(part))
        }
        return (
            Matrix.stacked(rows.map(\.keys), columns: shape.keySize), Matrix.stacked(rows.map(\.gradients), columns: shape.valueSize),
            range.map { $0 / perModule }
        )
    }
}

extension Range<Int> {
    /// Cut into ranges of `size`, the last perhaps shorter.
    func chunks(of size: Int) -> [Range<Int>] {
        stride(from: lowerBound, to: upperBound, by: size).map { $0..<Swift.min($0 + size, upperBound) }
    }
}
