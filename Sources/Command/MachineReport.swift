import Amend
import Communication
import Foundation
import LinearAlgebra
import TensorCore

/// What `amend doctor` finds. Every rank has its own; rank 0 has the problems of all.
struct MachineReport {
    /// The kernels that OpenBLAS runs, by its own name for them.
    let core: String
    /// The kernels that OpenBLAS ought to run here instead, if there are such.
    let betterCore: String?
    /// OPENBLAS_CORETYPE, which amend sets at start where OpenBLAS by itself would choose worse; nil if unset.
    let requestedCore: String?
    let openblas: String
    /// The vector instructions of amend's own loops.
    let kernels: String

    /// Of this rank.
    let threads: Int
    /// Processors that the ranks on this machine may use.
    let cores: Int
    /// CPU time per wall time that the control group allows, in processors; nil if unlimited.
    let quota: Double?

    /// Matrix products of 1536 × 1536 on this rank's threads, in 10⁹ operations per second, while the other ranks do the same: by OpenBLAS in
    /// float32, and by amend's own multiplication in each of its arithmetics.
    let sgemmGflops: Double
    let productGflops: [Arithmetic: Double]
    /// Of matrix tiles that multiply random numbers in registers alone; nil where the processor has none, or amend does not use them.
    let tileGflops: Double?

    let mpi: MPI
    let memory: MachineMemory
    let sharedMemory: FileSystemSpace?
    let disk: FileSystemSpace?
    let computesCorrectly: Bool
    let problems: [String]

    struct MPI {
        let launcher: String
        let ranks: Int
        let ranksOnThisMachine: Int
    }

    /// Measures: takes seconds. Collective.
    init(communicator: Communicator) throws {
        let share = try ProcessorShare(communicator: communicator)
        (core, betterCore) = (OpenBLAS.core, OpenBLAS.betterCore)
        requestedCore = ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"].flatMap { $0.isEmpty ? nil : $0 }
        (openblas, kernels) = (OpenBLAS.version, kernelVariant)
        (threads, cores, quota) = (share.threads, share.usableByAll.count, share.quota)
        mpi = MPI(launcher: Launcher.name, ranks: communicator.size, ranksOnThisMachine: communicator.nodeSize)
        memory = MachineMemory()
        sharedMemory = FileSystemSpace(path: "/dev/shm")
        disk = FileSystemSpace(path: ".")

        try communicator.barrier()
        sgemmGflops = Self.rounded(try OpenBLAS.measureRate(threads: threads))
        try communicator.barrier()
        let products = ProductMeasurement(threads: threads)
        productGflops = products.gflops.mapValues(Self.rounded)
        tileGflops = measureTileRate().map { Self.rounded($0 / 1e9) }
        computesCorrectly = try communicator.allGather(products.areCorrect ? 1 : 0).allSatisfy { $0 == 1 }

        var own = MachineProblems(share: share, ranksOnMachine: communicator.nodeSize)
        own.checkKernels(core: core, better: betterCore, requested: requestedCore, variant: kernels)
        own.checkProcessors()
        own.checkMemory(memory)
        own.checkSpace(shared: sharedMemory, disk: disk)
        own.checkLauncher()
        if !products.areCorrect { own.add("matrix products come out wrong: do not trust this machine; run 'amend selftest'") }
        problems = try Self.problemsOfAll(own.texts, communicator: communicator)
    }

    /// Every problem once, in rank order; with the machine's name where there are several machines.
    private static func problemsOfAll(_ own: [String], communicator: Communicator) throws -> [String] {
        let areSeveralMachines = try communicator.allGather(communicator.nodeSize).contains { $0 < communicator.size }
        let prefix = areSeveralMachines ? "\(ProcessInfo.processInfo.hostName): " : ""
        let message = own.map { prefix + $0 }.joined(separator: "\n")
        let all = try communicator.gather(Array(message.utf8), root: 0)
        var seen: Set<Substring> = []
        return all.flatMap { String(decoding: $0, as: UTF8.self).split(separator: "\n") }
            .filter { seen.insert($0).inserted }.map(String.init)
    }

    private static func rounded(_ rate: Double) -> Double { (rate * 10).rounded() / 10 }
}

/// The rates of amend's own matrix product, and whether what it computes is right.
private struct ProductMeasurement {
    let gflops: [Arithmetic: Double]
    let areCorrect: Bool

    init(threads: Int) {
        Threads.start(threads)
        let size = 1536
        let a = Matrix(uninitializedRows: size, columns: size), b = Matrix(uninitializedRows: size, columns: size)
        let product = Matrix(uninitializedRows: size, columns: size)
        RandomStream(seed: 1, purpose: .tests).fillNormal(0..<a.count, into: a.pointer)
        RandomStream(seed: 2, purpose: .tests).fillNormal(0..<b.count, into: b.pointer)
        let checked = stride(from: 0, to: size, by: 97).map { (row: $0, column: size - 1 - $0) }
        let exact = checked.map { place in (0..<size).reduce(0.0) { $0 + Double(a[place.row, $1]) * Double(b[$1, place.column]) } }
        var gflops: [Arithmetic: Double] = [:], areCorrect = true
        for arithmetic in Arithmetic.allCases {
            var best = Double.infinity
            for _ in 0..<5 {
                let start = ContinuousClock.now
                multiply(a.operand, b.operand, into: product, in: arithmetic)
                best = min(best, (ContinuousClock.now - start) / .seconds(1))
            }
            gflops[arithmetic] = 2 * pow(Double(size), 3) / best / 1e9
            // Elements are of size √1536: their errors about 1e-5, and of rounded terms 0.1.
            let tolerance = arithmetic == .float32 ? 1e-2 : 1
            areCorrect = areCorrect && zip(checked, exact).allSatisfy { abs(Double(product[$0.row, $0.column]) - $1) < tolerance } && product.isFinite
        }
        (self.gflops, self.areCorrect) = (gflops, areCorrect)
    }
}

/// Who started this process.
enum Launcher {
    /// "mpirun", "srun", "another MPI launcher" or "none".
    static var name: String {
        let environment = ProcessInfo.processInfo.environment
        guard let launch = try? Launch(environment: environment), launch.isParallel else { return "none" }
        if environment["OMPI_COMM_WORLD_SIZE"] != nil { return "mpirun" }
        return environment["SLURM_STEP_ID"] != nil ? "srun" : "another MPI launcher"
    }
}
