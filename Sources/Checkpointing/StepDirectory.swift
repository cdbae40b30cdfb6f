import TensorCore

/// A checkpoint's directory and its names: DIRECTORY/step-00000020.
struct StepDirectory {
    /// Being written. Never loaded; cleaned when a run opens the directory.
    static let partialSuffix = ".partial"
    /// An older checkpoint of the same step, moved aside while the new one takes its name.
    static let replacedSuffix = ".replaced"
    /// Being removed.
    static let prunedSuffix = ".pruned"

    let path: String
    /// How messages call it.
    let label: String

    init(path: String, label: String) {
        self.path = path
        self.label = label
    }

    init(parent: String, step: Int) {
        let name = Self.name(step: step)
        self.init(path: parent + "/" + name, label: name)
    }

    var partial: String { path + Self.partialSuffix }
    var replaced: String { path + Self.replacedSuffix }
    var pruned: String { path + Self.prunedSuffix }

    static func name(step: Int) -> String {
        let digits = String(step)
        return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    /// The step of a name that `name(step:)` could have made, or nil.
    static func step(ofName name: String) -> Int? {
        guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), step >= 0, Self.name(step: step) == name else { return nil }
        return step
    }

    /// The steps with a (complete) directory, ascending.
    static func steps(in parent: String) throws -> [Int] {
        try FileSystem.entries(of: parent).compactMap(step(ofName:)).sorted()
    }
}

extension StepDirectory {
    /// Removes what a killed run left behind, and gives a checkpoint that was moved aside its name back if the one to
    /// replace it never came.
    static func cleanLeftovers(in parent: String, report: (String) -> Void) throws {
        for name in try FileSystem.entries(of: parent) {
            for suffix in [partialSuffix, replacedSuffix, prunedSuffix] where name.hasSuffix(suffix) {
                guard let step = step(ofName: String(name.dropLast(suffix.count))) else { continue }
                let directory = StepDirectory(parent: parent, step: step)
                if suffix == replacedSuffix, !FileSystem.exists(directory.path) {
                    try FileSystem.rename(directory.replaced, to: directory.path)
                    try FileSystem.synchronizeDirectory(parent)
                    report("\(directory.label): restored; the run that was replacing it did not finish")
                } else {
                    try FileSystem.remove(parent + "/" + name)
                    report("\(name): removed; left behind by a run that did not finish")
                }
            }
        }
    }
}
