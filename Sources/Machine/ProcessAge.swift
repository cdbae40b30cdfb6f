import Foundation

/// How long this process has run, with its start and the loading of libraries; over a restart by `Startup` too.
package enum ProcessAge {
    /// To a hundredth of a second; nil where the system does not tell.
    package static var seconds: Double? {
        // The fields behind the program's name, which may hold anything, are the 3rd and on; the 22nd is the start in ticks after boot.
        guard let line = SystemFile.line("/proc/self/stat"), let end = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
        var now = timespec()
        guard clock_gettime(CLOCK_BOOTTIME, &now) == 0 else { return nil }
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
