import Communication
import Testing

@Suite struct LaunchTests {
    @Test func launchersAreRecognised() throws {
        #expect(try Launch(environment: ["HOME": "/root"]) == (try Launch(environment: [:])))
        #expect(try Launch(environment: [:]).isParallel == false)
        for variable in ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"] {
            #expect(try Launch(environment: [variable: "2"]).isParallel)
        }
        #expect(try Launch(environment: ["PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "4"]).announcedRanks == 4)
        #expect(try Launch(environment: ["OMPI_COMM_WORLD_SIZE": "2", "SLURM_STEP_NUM_TASKS": "1"]).announcedRanks == 2)
    }

    @Test func srunWithoutPMIxIsRefused() throws {
        #expect(throws: CommunicationError.self) { try Launch(environment: ["SLURM_STEP_NUM_TASKS": "4"]) }
        #expect(try Launch(environment: ["SLURM_STEP_NUM_TASKS": "1"]).isParallel == false)
    }
}
