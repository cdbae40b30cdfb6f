// A test program: exercises the Communicator on however many ranks it is started with. The first argument names the part.
import Communication
import Foundation
import TensorCore

let arguments = CommandLine.arguments.dropFirst()
let status = Communicator.run(exitStatus: { $0 is BadInput ? 3 : 1 }) { communicator in
    switch arguments.first {
    case "sums": try printSums(communicator)
    case "exchanges": try checkExchanges(communicator)
    case "node": try printRanks(communicator)
    case "failures": return try fail(communicator, how: arguments.dropFirst().first ?? "")
    default: throw BadInput("arguments", "expected sums, exchanges, node or failures; found \(Array(arguments))")
    }
    return 0
}
exit(status)

/// What must hold on this rank.
func expect(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    guard condition else { throw CommunicationError(what()) }
}

func printRanks(_ communicator: Communicator) throws {
    let nodeRanks = try communicator.allGather(communicator.nodeRank)
    let ranks = try communicator.allGather(communicator.rank)
    guard communicator.isRoot else { return }
    print("size \(communicator.size) ranks \(ranks) nodeSize \(communicator.nodeSize) nodeRanks \(nodeRanks)")
}
