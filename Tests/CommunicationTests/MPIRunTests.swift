import Foundation
import TestSupport
import Testing

/// The Communicator on several ranks, each test being jobs of CommunicationProbe.
@Suite(.serialized) struct MPIRunTests {
    private func probe(ranks: Int, _ arguments: String..., timeoutSeconds: Double = 60) throws -> ProgramResult {
        try mpirun(
            ranks: ranks, program: builtProgram("CommunicationProbe"), arguments: arguments, timeoutSeconds: timeoutSeconds)
    }

    @Test func orderedSumsHaveTheSameBitsOnAnyNumberOfRanks() throws {
        let alone = try run(program: builtProgram("CommunicationProbe"), arguments: ["sums"])
        #expect(alone.status == 0, "\(alone.errors)")
        #expect(alone.output.split(separator: "\n").count == 26)
        for ranks in 1...4 {
            let job = try probe(ranks: ranks, "sums")
            #expect(job.status == 0 && job.output == alone.output, "on \(ranks) ranks: \(job.output)\(job.errors)")
            #expect(job.errors == "", "mpirun has something to say: its options need care")
        }
    }

    @Test func exchanges() throws {
        let alone = try run(program: builtProgram("CommunicationProbe"), arguments: ["exchanges"])
        #expect(alone.status == 0 && alone.output == "exchanges agree\n", "alone: \(alone.output)\(alone.errors)")
        for ranks in 1...4 {
            let job = try probe(ranks: ranks, "exchanges")
            #expect(job.status == 0 && job.output == "exchanges agree\n", "on \(ranks): \(job.output)\(job.errors)")
        }
    }

    @Test func ranksKnowTheirPlace() throws {
        let job = try probe(ranks: 3, "node")
        #expect(job.output == "size 3 ranks [0, 1, 2] nodeSize 3 nodeRanks [0, 1, 2]\n")
    }

    @Test func anErrorOnOneRankEndsAllWithItsMessageAndStatus() throws {
        for (failure, status, line) in [
            ("throw-on-last", Int32(3), "rank 2/3: facts.json: record 7 has no 'prompt'\n"),
            ("abort-on-last", 75, "rank 2/3: no space left\n"),
        ] {
            let start = Date()
            let job = try probe(ranks: 3, "failures", failure)
            #expect(job.status == status, "\(failure): \(job.errors)")
            #expect(job.errors.contains(line), "\(failure): \(job.errors)")
            #expect(Date().timeIntervalSince(start) < 20)
        }
    }

    @Test(arguments: ["throw-on-all", "throw-on-all-with-handler"])
    func anErrorOnAllRanksIsPrintedOnce(failure: String) throws {
        let job = try probe(ranks: 3, "failures", failure)
        #expect(job.status == 3)
        let lines = job.errors.split(separator: "\n").filter { $0.contains("facts.json") }
        #expect(lines == ["rank 0/3: facts.json: not JSON"], "\(job.errors)")
    }

    @Test func anMPIErrorIsASwiftErrorWithItsText() throws {
        let job = try probe(ranks: 2, "failures", "mpi-error")
        #expect(job.status == 1)
        #expect(job.errors.contains("rank 1/2: MPI_Bcast: MPI_ERR_TRUNCATE: message truncated\n"), "\(job.errors)")
    }

    @Test func aKilledRankEndsTheJob() throws {
        #expect(try probe(ranks: 3, "failures", "die-on-last").status == 128 + SIGKILL)
    }

    @Test func aStopOnAllRanksKeepsItsStatus() throws {
        #expect(try probe(ranks: 3, "failures", "stop").status == 75)
    }

    @Test func oneRankAloneFailsWithoutARankInFront() throws {
        let result = try run(program: builtProgram("CommunicationProbe"), arguments: ["failures", "throw-on-all"])
        #expect(result.status == 3 && result.errors == "facts.json: not JSON\n")
    }

    @Test func aProgramUnderTestReceivesSignals() throws {
        let start = Date()
        let sleep = URL(fileURLWithPath: "/bin/sleep")
        #expect(throws: ProgramFailure.self) { try run(program: sleep, arguments: ["60"], timeoutSeconds: 1) }
        #expect(Date().timeIntervalSince(start) < 9, "SIGTERM was ignored")
    }

    @Test func aHangIsKilled() throws {
        let start = Date()
        #expect(throws: ProgramFailure.self) { try probe(ranks: 2, "failures", "hang-on-last", timeoutSeconds: 4) }
        #expect(Date().timeIntervalSince(start) < 30)
    }
}
