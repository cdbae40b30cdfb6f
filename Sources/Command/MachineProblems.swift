import Amend
import Foundation
import Machine
import Reporting

/// What would make a run on this rank's machine fail or slow, each in one line that says what to do.
struct MachineProblems {
    private(set) var texts: [String] = []
    private let share: ProcessorShare
    private let ranksOnMachine: Int

    /// What a rank of the quickstart should find: room for its memory, for Open MPI's mailboxes, for a few checkpoints.
    private static let memoryPerRank: Int = 2_000_000_000
    private static let sharedMemoryPerRank: Int = 16 << 20
    private static let diskSpace: Int = 1_000_000_000

    init(share: ProcessorShare, ranksOnMachine: Int) {
        self.share = share
        self.ranksOnMachine = ranksOnMachine
    }

    mutating func add(_ problem: String) { texts.append(problem) }

    mutating func checkKernels(core: String, better: String?, requested: String?, variant: String) {
        if variant == "portable" {
            add("this processor has neither AVX-512 nor AVX2 with FMA: amend runs its portable loops, several times slower")
        }
        guard let better else { return }
        let found = "OpenBLAS runs its \(core) kernels where its \(better) kernels would be faster"
        switch requested {
        case nil: add("\(found): amend could not restart itself with OPENBLAS_CORETYPE=\(better); set it yourself")
        case better: add("\(found): this OpenBLAS ignores OPENBLAS_CORETYPE; install one built for several processors")
        case let requested?: add("\(found), because OPENBLAS_CORETYPE=\(requested) is set; unset it")
        }
    }

    mutating func checkProcessors() {
        let usable = share.usableByAll.count
        if ranksOnMachine > usable {
            add("\(ranksOnMachine) ranks share \(usable) cores of this machine: start at most one rank per core")
        }
        if let quota = share.quota, quota < Double(min(usable, ranksOnMachine)) {
            add("the control group allows \(Quantity.significant(quota, digits: 2)) cores of CPU time to \(ranksOnMachine) ranks: start fewer, or raise it")
        }
        // Of mpirun's own processors, the ranks were left some: it binds each rank to one core if they are few.
        let launcher = Processors.usable(by: "\(getppid())")
        if Launcher.name == "mpirun", launcher.isSuperset(of: share.usableByAll), launcher.count > usable {
            add(
                "mpirun bound the ranks to \(usable) of \(launcher.count) cores, the others stay idle: "
                    + "start it with '--bind-to none'")
        }
    }

    mutating func checkMemory(_ memory: MachineMemory) {
        let needed = Self.memoryPerRank * ranksOnMachine
        if let available = memory.available, available < needed {
            add(
                "\(Quantity.bytes(available)) of memory are available to \(ranksOnMachine) rank(s) on this machine; "
                    + "training a small model takes up to \(Quantity.bytes(Self.memoryPerRank)) each: start fewer ranks, or free some")
        }
        if let limit = memory.addressSpaceLimit, let total = memory.total, limit < total {
            add(
                "the address space of a process is limited to \(Quantity.bytes(limit)); model files are mapped into it: "
                    + "'ulimit -v unlimited'")
        }
    }

    mutating func checkSpace(shared: FileSystemSpace?, disk: FileSystemSpace?) {
        let needed = Self.sharedMemoryPerRank * ranksOnMachine
        if ranksOnMachine > 1, let shared, shared.free < needed {
            add(
                "/dev/shm has \(Quantity.bytes(shared.free)) free; \(ranksOnMachine) ranks exchange data through about "
                    + "\(Quantity.bytes(needed)) there: enlarge it (docker: --shm-size=1g)")
        }
        if let disk, disk.free < Self.diskSpace {
            add("the current directory has \(Quantity.bytes(disk.free)) free; checkpoints may not fit: set checkpoint.directory")
        }
    }

    mutating func checkLauncher() {
        let directories = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let found = directories.contains { FileManager.default.isExecutableFile(atPath: "\($0)/mpirun") }
        if !found, Launcher.name == "none" {
            add("there is no mpirun on the PATH, so runs have one rank: Scripts/install-dependencies.sh installs it")
        }
    }
}
