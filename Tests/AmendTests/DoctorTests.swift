import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// `amend doctor`, and through it what every process does at its start.
    @Suite struct DoctorTests {
        private struct Report: Decodable {
            struct MPI: Decodable {
                let launcher: String
                let ranks: Int
            }

            let core: String
            let threads: Int
            let sgemmGflops: Double
            let mpi: MPI
            let problems: [String]
            let cores: Int
            let computesCorrectly: Bool
            let kernels: String
            let productGflops: [String: Double]
            let tileGflops: Double?
            let fastestCompute: String
        }

        /// Of this machine, without a launcher; measured once.
        private static let alone = Result { try report(run(program: builtProgram("amend"), arguments: ["doctor", "--json"])) }

        private static func report(_ result: ProgramResult) throws -> Report {
            try #require(result.status == 0, "\(result.errors)")
            return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
        }

        @Test func printsTheMachineAsOneObject() throws {
            let found = try Self.alone.get()
            #expect(found.computesCorrectly)
            #expect(found.threads >= 1 && found.threads <= found.cores)
            #expect(found.sgemmGflops > 0)
            #expect(found.mpi.launcher == "none" && found.mpi.ranks == 1)
        }

        @Test func measuresEveryArithmetic() throws {
            let found = try Self.alone.get()
            #expect(found.productGflops.keys.sorted() == ["bf16", "bf16-tiles", "f32"])
            #expect(found.productGflops.values.allSatisfy { $0 > 0 })
            #expect(found.productGflops[found.fastestCompute] != nil)
            #expect((found.tileGflops != nil) == (found.kernels == "avx512amx"))
            #expect((found.fastestCompute == "bf16-tiles") == (found.kernels == "avx512amx"))
        }

        @Test func usesOnlyTheCoresItMayUse() throws {
            let arguments = ["-c", "taskset -c \"$(taskset -cp $$ | sed 's/.*[ ,-]//')\" \"$0\" doctor --json", try builtProgram("amend").path]
            let found = try Self.report(run(program: URL(fileURLWithPath: "/bin/bash"), arguments: arguments))
            #expect(found.threads == 1 && found.cores == 1)
        }

        /// Between them, ranks that share all cores use each of them once, and at least one each.
        @Test func dividesCoresAmongRanks() throws {
            let alone = try Self.alone.get()
            let job = try Self.report(mpirun(ranks: 2, program: builtProgram("amend"), arguments: ["doctor", "--json"]))
            #expect(job.mpi.launcher == "mpirun" && job.mpi.ranks == 2)
            #expect(job.cores == alone.cores)
            #expect(job.threads == max(1, (alone.threads + 1) / 2))
        }

        @Test func saysThatRanksOutnumberCores() throws {
            let cores = try Self.alone.get().cores
            try #require(cores < 16, "not worth so many ranks")
            let job = try Self.report(mpirun(ranks: cores + 1, program: builtProgram("amend"), arguments: ["doctor", "--json"]))
            #expect(job.problems.contains { $0.hasPrefix("\(cores + 1) ranks share \(cores) cores") })
        }

        /// OpenBLAS reads its variable while it loads: the process must have been started with it, not have set it later.
        @Test func leavesTheChoiceOfKernelsToTheUser() throws {
            #if arch(x86_64)
                let arguments = ["doctor", "--json"]
                let found = try Self.report(
                    run(program: builtProgram("amend"), arguments: arguments, environment: ["OPENBLAS_CORETYPE": "Nehalem"]))
                #expect(found.core == "Nehalem")
            #endif
        }

        /// An OpenBLAS that does not know the processor runs AVX2 kernels where AVX-512 ones exist; amend restarts itself then.
        @Test func takesTheBestKernels() throws {
            let found = try Self.alone.get()
            #expect(!found.problems.contains { $0.hasPrefix("OpenBLAS runs its") }, "\(found.problems)")
        }
    }
}
