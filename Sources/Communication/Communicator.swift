import CMPI

/// The ranks of one job and the exchanges between them, over Open MPI or, where no launcher started the process, for one
/// rank alone (MPI is then never initialised).
///
/// Every exchange is collective: all ranks call it, in the same order, with arguments that agree, or the job hangs.
/// So no exchange goes inside `if isRoot`. MPI runs in its funneled mode: a communicator is used on the thread that
/// started it (the main thread) only; hence it is not Sendable.
package final class Communicator {
    /// 0 ..< size.
    package let rank: Int
    package let size: Int
    /// This process among the ranks that share its host, 0 ..< nodeSize, and their number.
    package let nodeRank: Int
    package let nodeSize: Int

    /// The most elements (or bytes, for byte buffers) that one MPI call is given, 1 ... 2³¹ − 1; larger buffers go in
    /// several calls, with the same result. MPI counts in 32 bits. Must be equal on all ranks; lowered only by tests.
    package var maximumChunk = 1 << 28 {
        didSet { precondition((1...Int(Int32.max)).contains(maximumChunk), "maximumChunk = \(maximumChunk)") }
    }

    /// Rank 0: the one that prints and that owns what is written once.
    package var isRoot: Bool { rank == 0 }

    /// Where parts of other ranks are received, kept between calls because pending requests may outlive a failed call.
    private(set) var scratch = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
    private var state: State

    private enum State { case alone, running, finalized }

    /// One rank without MPI.
    package init() {
        (rank, size, nodeRank, nodeSize) = (0, 1, 0, 1)
        state = .alone
    }

    /// Starts MPI, once in the life of a process.
    init(starting launch: Launch) throws {
        var provided: Int32 = 0
        try mpiCheck("MPI_Init_thread") { MPI_Init_thread(nil, nil, cmpi_thread_funneled(), &provided) }
        try mpiCheck("MPI_Comm_set_errhandler") { MPI_Comm_set_errhandler(cmpi_comm_world(), cmpi_errors_return()) }
        try mpiCheck("MPI_Comm_set_errhandler") { MPI_Comm_set_errhandler(cmpi_comm_self(), cmpi_errors_return()) }
        guard provided >= cmpi_thread_funneled() else {
            throw CommunicationError("MPI_Init_thread: this MPI does not allow a process to have threads")
        }
        (rank, size) = try Self.rankAndSize(in: cmpi_comm_world())
        var node: MPI_Comm? = cmpi_comm_null()
        let key = Int32(rank)
        try mpiCheck("MPI_Comm_split_type") {
            MPI_Comm_split_type(cmpi_comm_world(), cmpi_comm_type_shared(), key, cmpi_info_null(), &node)
        }
        (nodeRank, nodeSize) = try Self.rankAndSize(in: node)
        try mpiCheck("MPI_Comm_free") { MPI_Comm_free(&node) }
        state = .running
        try launch.check(foundRanks: size)
    }

    deinit { scratch.deallocate() }

    /// Waits until every rank has come here.
    package func barrier() throws {
        guard size > 1 else { return }
        try mpiCheck("MPI_Barrier") { MPI_Barrier(world) }
    }

    var world: MPI_Comm {
        precondition(state == .running, "rank \(rank)/\(size): an exchange after MPI was finalised")
        return cmpi_comm_world()
    }

    var isMPIRunning: Bool { state == .running }

    func finalize() throws {
        guard state == .running else { return }
        state = .finalized
        try mpiCheck("MPI_Finalize") { MPI_Finalize() }
    }

    func growScratch(to count: Int) -> UnsafeMutablePointer<Float> {
        if scratch.count < count || scratch.baseAddress == nil {
            scratch.deallocate()
            scratch = .allocate(capacity: max(count, 1))
        }
        return scratch.baseAddress!
    }

    private static func rankAndSize(in communicator: MPI_Comm?) throws -> (Int, Int) {
        var (rank, size): (Int32, Int32) = (0, 0)
        try mpiCheck("MPI_Comm_rank") { MPI_Comm_rank(communicator, &rank) }
        try mpiCheck("MPI_Comm_size") { MPI_Comm_size(communicator, &size) }
        return (Int(rank), Int(size))
    }
}
