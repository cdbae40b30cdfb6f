import CStartup
import Foundation
import LinearAlgebra
import StandardStreams

/// What the process does before anything else, on every rank and before MPI starts.
package enum Startup {
    /// Set in the process that this one became, which must not become another.
    private static let marker = "AMEND_STARTED"
    /// What Linux gives by default.
    private static let stackBytes = 8 << 20

    /// Call first in main: may replace the process by itself, with the environment that the numeric libraries read while
    /// they load. Arguments, standard streams and process id stay. Does nothing harmful when called again.
    package static func prepare() {
        StandardStreams.prepare()
        amend_startup_stacks(stackBytes)
        if getenv(marker) == nil { restartIfLibrariesNeedIt() }
        nameMainThread()
        keepLargeBlocks()
    }

    /// OpenBLAS reads these once, when it is loaded, before the first line of main.
    private static func restartIfLibrariesNeedIt() {
        var changes: [(name: String, value: String)] = []
        if !isSet("OPENBLAS_CORETYPE"), let core = OpenBLAS.betterCore { changes.append(("OPENBLAS_CORETYPE", core)) }
        for name in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"] where !isSet(name) {
            changes.append((name, "1"))  // amend's threads are its own; OpenBLAS would start one per core
        }
        guard !changes.isEmpty else { return }
        for change in changes { setenv(change.name, change.value, 1) }
        setenv(marker, "1", 1)
        execv("/proc/self/exe", CommandLine.unsafeArgv)
        // Still here: no /proc. The numbers are the same, only slower; `amend doctor` says so.
    }

    private static func isSet(_ name: String) -> Bool {
        guard let value = getenv(name) else { return false }
        return value.pointee != 0
    }

    /// A process started from /proc/self/exe is called `exe` in `ps` and `top`.
    private static func nameMainThread() {
        let program = CommandLine.arguments.first?.split(separator: "/").last ?? "amend"
        try? Data(program.utf8.prefix(15)).write(to: URL(fileURLWithPath: "/proc/self/comm"))
    }

    /// Large matrices come and go in every batch. glibc would map and unmap each of them, and the kernel would clear
    /// its pages again each time; kept in the heap, they are reused as they are. Does nothing with another C library.
    private static func keepLargeBlocks() {
        guard let symbol = dlsym(nil, "mallopt") else { return }  // of malloc.h, which Swift's Glibc module leaves out
        let mallopt = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
        let (trimThreshold, mapThreshold, mostMaps): (Int32, Int32, Int32) = (-1, -3, -4)
        if mallopt(mapThreshold, 1 << 30) == 0 {
            _ = mallopt(mostMaps, 0)  // a glibc that allows a threshold of 32 MiB at most
        }
        _ = mallopt(trimThreshold, Int32.max)
    }
}
