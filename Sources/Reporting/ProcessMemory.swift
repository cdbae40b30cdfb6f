import Foundation

/// What this process takes of the machine's memory.
package enum ProcessMemory {
    /// Bytes of its own, mapped files not counted: RssAnon of /proc/self/status; 0 where there is none.
    package static var privateBytes: Int { field("RssAnon:") }
    /// The most bytes that were ever resident, with the pages of mapped files that it touched.
    package static var peakResidentBytes: Int { field("VmHWM:") }

    private static func field(_ name: String) -> Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) })
        else { return 0 }
        return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 } ?? 0
    }
}
