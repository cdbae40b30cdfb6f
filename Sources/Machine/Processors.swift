import Foundation

/// What the system says of the processors of this machine.
package enum Processors {
    /// The processors that a process (by default this one) may run on, by the system's numbers; never empty.
    package static func usable(by process: String = "self") -> Set<Int> {
        let key = "Cpus_allowed_list:"
        let line = SystemFile.lines("/proc/\(process)/status").first { $0.hasPrefix(key) }
        let processors = line.flatMap { parseList($0.dropFirst(key.count)) } ?? []
        return processors.isEmpty ? Set(0..<ProcessInfo.processInfo.activeProcessorCount) : processors
    }

    /// The numbers of a list such as `0-3,8,10-11`; nil for anything else.
    static func parseList(_ text: some StringProtocol) -> Set<Int>? {
        var numbers: Set<Int> = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-").map { Int($0.trimmingCharacters(in: .whitespaces)) }
            guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, 0 <= first,
                first <= last, last < 1 << 16
            else { return nil }
            numbers.formUnion(first...last)
        }
        return numbers
    }

    /// The CPU time per wall time that the control groups above this process allow, in processors; nil without a limit.
    package static func quota() -> Double? {
        ControlGroup.directories(controller: "cpu").compactMap { directory -> Double? in
            if let line = SystemFile.line("\(directory)/cpu.max") {
                let fields = line.split(separator: " ").map { Double($0) }
                return fields.count == 2 ? ratio(fields[0], fields[1]) : nil
            }
            let quota = SystemFile.line("\(directory)/cpu.cfs_quota_us").flatMap { Double($0) }
            return ratio(quota, SystemFile.line("\(directory)/cpu.cfs_period_us").flatMap { Double($0) })
        }.min()
    }

    private static func ratio(_ quota: Double?, _ period: Double?) -> Double? {
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return quota / period
    }

    /// A number that processes have in common if they run on one kernel, whatever container each is in.
    package static func machineIdentity() -> Double {
        let name = SystemFile.line("/proc/sys/kernel/random/boot_id") ?? ProcessInfo.processInfo.hostName
        let hash = name.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }  // FNV-1a
        return Double(hash >> 12)  // 52 bits, exact
    }
}

/// The control groups that this process is in.
package enum ControlGroup {
    /// The directories of the groups, innermost first, that limit what `controller` controls: of version 2, which has one
    /// hierarchy, and of version 1, which has one for each controller. Empty where there are none.
    package static func directories(controller: String) -> [String] {
        SystemFile.lines("/proc/self/cgroup").flatMap { line -> [String] in
            // 0::/path, or 4:cpu,cpuacct:/path
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return [] }
            let controllers = fields[1].split(separator: ",").map(String.init)
            if controllers.isEmpty { return ancestors(of: String(fields[2]), below: "/sys/fs/cgroup") }
            guard controllers.contains(controller) else { return [] }
            return ancestors(of: String(fields[2]), below: "/sys/fs/cgroup/\(fields[1])")
        }
    }

    private static func ancestors(of path: String, below root: String) -> [String] {
        let names = path.split(separator: "/").filter { $0 != ".." }
        return (0...names.count).reversed().map { ([root] + names.prefix($0).map(String.init)).joined(separator: "/") }
    }
}

/// The system's small text files.
package enum SystemFile {
    /// The lines of a file; empty if it cannot be read.
    package static func lines(_ path: String) -> [String] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").map(String.init)
    }

    /// The first line, or nil.
    package static func line(_ path: String) -> String? { lines(path).first }
}
