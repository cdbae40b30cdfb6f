import Foundation

/// Memory of this machine, in bytes; nil where the system does not tell.
struct MachineMemory: Encodable {
    let total: Int64?
    /// What processes can still take without swapping, within the limits of the control groups above this process.
    let available: Int64?
    /// `ulimit -v`; nil if unlimited.
    let addressSpaceLimit: Int64?

    init() {
        let fields = SystemFile.lines("/proc/meminfo")
        total = Self.meminfo("MemTotal:", in: fields)
        let free = Self.meminfo("MemAvailable:", in: fields)
        available = ([free] + Self.roomInControlGroups().map { Optional($0) }).compactMap { $0 }.min()
        addressSpaceLimit = Self.addressSpaceLimitOfProcess()
    }

    private static func meminfo(_ key: String, in lines: [String]) -> Int64? {
        // MemTotal:       24622888 kB
        let line = lines.first { $0.hasPrefix(key) }
        return line.flatMap { Int64($0.split(separator: " ").dropFirst().first ?? "") }.map { $0 * 1024 }
    }

    private static func roomInControlGroups() -> [Int64] {
        ControlGroup.directories(controller: "memory").compactMap { directory in
            let names = [("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")]
            for (limitName, usageName) in names {
                guard let limit = number("\(directory)/\(limitName)"), let usage = number("\(directory)/\(usageName)") else { continue }
                return max(0, limit - usage)
            }
            return nil
        }
    }

    private static func number(_ path: String) -> Int64? { SystemFile.line(path).flatMap { Int64($0) } }

    private static func addressSpaceLimitOfProcess() -> Int64? {
        // Max address space         unlimited            unlimited            bytes
        let key = "Max address space"
        let line = SystemFile.lines("/proc/self/limits").first { $0.hasPrefix(key) }
        return line.flatMap { Int64($0.dropFirst(key.count).split(separator: " ").first ?? "") }
    }
}

/// The space of a file system, in bytes.
struct FileSystemSpace: Encodable {
    let total: Int64
    /// For this user.
    let free: Int64

    /// Of the file system that `path` is on; nil if there is no such path.
    init?(path: String) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let unit = UInt64(status.f_frsize)
        total = Int64(clamping: UInt64(status.f_blocks).multipliedReportingOverflow(by: unit).partialValue)
        free = Int64(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: unit).partialValue)
    }
}
