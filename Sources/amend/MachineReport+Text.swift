extension MachineReport {
    /// The report for people, without a newline at its end.
    var text: String {
        var lines = [
            row("cores", "\(cores) usable" + (quota.map { ", CPU time of \(decimal($0))" } ?? "") + "; " + threadsText),
            row("kernels", "\(kernels) (amend), \(core) (OpenBLAS\(coreOrigin))"),
            row("OpenBLAS", openblas.hasPrefix("OpenBLAS ") ? String(openblas.dropFirst(9)) : openblas),
            row("sgemm", "\(decimal(sgemmGflops)) GFLOP/s by OpenBLAS, \(decimal(multiplyGflops)) by amend, on \(counted(threads, "thread"))"),
            row("MPI", mpiText),
            row("memory", memoryText),
            row("/dev/shm", spaceText(sharedMemory)),
            row("disk", spaceText(disk) + " in the current directory"),
        ]
        lines.append(problems.isEmpty ? row("problems", "none") : "problems")
        lines += problems.map { "  - \($0)" }
        return lines.joined(separator: "\n")
    }

    private var threadsText: String { "\(counted(threads, "thread")) " + (mpi.ranks > 1 ? "on rank 0" : "used") }

    private var coreOrigin: String {
        guard let requestedCore else { return "" }
        return ", by OPENBLAS_CORETYPE=\(requestedCore)"
    }

    private var mpiText: String {
        guard mpi.launcher != "none" else { return "one rank, without a launcher" }
        return "\(counted(mpi.ranks, "rank")), \(mpi.ranksOnThisMachine) on this machine, started by \(mpi.launcher)"
    }

    private var memoryText: String {
        guard let available = memory.available else { return "unknown" }
        return "\(gigabytes(available)) GB available" + (memory.total.map { " of \(gigabytes($0)) GB" } ?? "")
    }

    private func spaceText(_ space: FileSystemSpace?) -> String {
        space.map { "\(gigabytes($0.free)) GB free of \(gigabytes($0.total)) GB" } ?? "not there"
    }

    private func row(_ name: String, _ value: String) -> String {
        name + String(repeating: " ", count: 10 - name.count) + value
    }

    private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
