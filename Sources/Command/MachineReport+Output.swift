import Documents
import Foundation
import LinearAlgebra
import Reporting

extension MachineReport {
    /// For `--json`: the first five keys are a contract. Sizes are in bytes; what the system does not tell is null.
    var json: JSONObject {
        [
            "core": .string(core),
            "threads": .integer(threads),
            "sgemmGflops": .number(sgemmGflops),
            "mpi": [
                "launcher": .string(mpi.launcher), "ranks": .integer(mpi.ranks),
                "ranksOnThisMachine": .integer(mpi.ranksOnThisMachine),
            ],
            "problems": .array(problems.map { .string($0) }),
            "multiplyGflops": .number(productGflops[.float32] ?? 0),
            "productGflops": .object(JSONObject(Arithmetic.allCases.map { ($0.rawValue, .number(productGflops[$0] ?? 0)) })),
            "tileGflops": tileGflops.map { .number($0) } ?? .null,
            "fastestCompute": .string(Arithmetic.fastest.rawValue),
            "computesCorrectly": .bool(computesCorrectly),
            "kernels": .string(kernels),
            "openblas": .string(openblas),
            "betterCore": betterCore.map { .string($0) } ?? .null,
            "requestedCore": requestedCore.map { .string($0) } ?? .null,
            "cores": .integer(cores),
            "quota": quota.map { .number($0) } ?? .null,
            "memory": [
                "total": jsonSize(memory.total), "available": jsonSize(memory.available),
                "addressSpaceLimit": jsonSize(memory.addressSpaceLimit),
            ],
            "sharedMemory": jsonSpace(sharedMemory),
            "disk": jsonSpace(disk),
        ]
    }

    private func jsonSize(_ bytes: Int?) -> JSONValue { bytes.map { .integer($0) } ?? .null }

    private func jsonSpace(_ space: FileSystemSpace?) -> JSONValue {
        space.map { ["total": .integer($0.total), "free": .integer($0.free)] } ?? .null
    }

    /// The report for people, without a line feed at its end.
    var text: String {
        let rows = [
            ("cores", coresText),
            ("kernels", "\(kernels) (amend), \(core) (OpenBLAS\(requestedCore.map { ", by OPENBLAS_CORETYPE=\($0)" } ?? ""))"),
            ("OpenBLAS", openblas.hasPrefix("OpenBLAS ") ? String(openblas.dropFirst(9)) : openblas),
            ("sgemm", "\(sgemmGflops) GFLOP/s by OpenBLAS, on \(counted(threads, "thread"))"),
            ("products", productsText),
            ("MPI", mpiText),
            ("memory", memoryText),
            ("/dev/shm", spaceText(sharedMemory)),
            ("disk", spaceText(disk) + ", in the current directory"),
            ("problems", problems.isEmpty ? "none" : counted(problems.count, "problem")),
        ]
        let lines = rows.map { $0.padding(toLength: 10, withPad: " ", startingAt: 0) + $1 }
        return (lines + problems.map { "  - \($0)" }).joined(separator: "\n")
    }

    private var coresText: String {
        let limit = quota.map { ", CPU time of \(Quantity.significant($0, digits: 2))" } ?? ""
        return "\(cores) usable\(limit); \(counted(threads, "thread")) \(mpi.ranks > 1 ? "on rank 0" : "used")"
    }

    private var productsText: String {
        let rates = Arithmetic.allCases.map { "\($0.rawValue) \(productGflops[$0] ?? 0)" }.joined(separator: ", ")
        let tiles = tileGflops.map { "; tiles in registers alone \($0)" } ?? ""
        return "\(rates) GFLOP/s by amend\(tiles); run.compute=auto takes \(Arithmetic.fastest.rawValue)"
    }

    private var mpiText: String {
        guard mpi.launcher != "none" else { return "one rank, without a launcher" }
        return "\(counted(mpi.ranks, "rank")), \(mpi.ranksOnThisMachine) on this machine, started by \(mpi.launcher)"
    }

    private var memoryText: String {
        guard let available = memory.available else { return "unknown" }
        return "\(Quantity.bytes(available)) available" + (memory.total.map { " of \(Quantity.bytes($0))" } ?? "")
    }

    private func spaceText(_ space: FileSystemSpace?) -> String {
        space.map { "\(Quantity.bytes($0.free)) free of \(Quantity.bytes($0.total))" } ?? "not there"
    }

    private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
