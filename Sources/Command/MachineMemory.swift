import Foundation
import Machine

/// Memory of this machine, in bytes; nil where the system does not tell.
struct MachineMemory {
    let total: Int?
    /// What processes can still take without swapping, within the limits of the control groups above this process.
    let available: Int?
    /// `ulimit -v`; nil if unlimited.
    let addressSpaceLimit: Int?

    init() {
        let fields = SystemFile.lines("/proc/meminfo")
        total = Self.meminfo("MemTotal:", in: fields)
        let free = Self.meminfo("MemAvailable:", in: fields)
        available = ([free] + Self.roomInControlGroups().map { Optional($0) }).compactMap { $0 }.min()
        addressSpaceLimit = Self.addressSpaceLimitOfProcess()
    }

    private static func meminfo(_ key: String, in lines: [String]) -> Int? {
        // MemTotal:       24622888 kB
        let line = lines.first { $0.hasPrefix(key) }
        return line.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") }.map { $0 * 1024 }
    }

    /// What each control group above this process has left; memory that only caches files counts as left.
    private static func roomInControlGroups() -> [Int] {
        ControlGroup.directories(controller: "memory").compactMap { directory in
            let names = [
                ("memory.max", "memory.current", "inactive_file "),
                ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
            ]
            for (limitName, usageName, cacheKey) in names {
                guard let limit = number("\(directory)/\(limitName)"), let usage = number("\(directory)/\(usageName)") else { continue }
                let cacheLine = SystemFile.lines("\(directory)/memory.stat").first { $0.hasPrefix(cacheKey) }
                let cache = cacheLine.flatMap { Int($0.dropFirst(cacheKey.count)) } ?? 0
                return max(0, limit - max(0, usage - cache))
            }
            return nil
        }
    }

    private static func number(_ path: String) -> Int? { SystemFile.line(path).flatMap { Int($0) } }

    private static func addressSpaceLimitOfProcess() -> Int? {
        // Max address space         unlimited            unlimited            bytes
        let key = "Max address space"
        let line = SystemFile.lines("/proc/self/limits").first { $0.hasPrefix(key) }
        return line.flatMap { Int($0.dropFirst(key.count).split(separator: " ").first ?? "") }
    }
}

/// The space of a file system, in bytes.
struct FileSystemSpace {
    let total: Int
    /// For this user.
    let free: Int

    /// Of the file system that `path` is on; nil if there is no such path.
    init?(path: String) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let unit = UInt64(status.f_frsize)
        total = Int(clamping: UInt64(status.f_blocks).multipliedReportingOverflow(by: unit).partialValue)
        free = Int(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: unit).partialValue)
    }
}
