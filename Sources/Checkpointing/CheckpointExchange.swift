import TensorCore

/// What a checkpoint needs of the ranks' communication. All calls are collective: every rank makes them, in the same
/// order. An error that one of them throws is taken to mean that the job's communication is lost: no further call is made.
package protocol CheckpointExchange {
    /// This process, 0 ..< size.
    var rank: Int { get }
    var size: Int { get }
    /// On the root the bytes of every rank, in rank order; elsewhere anything (an empty list will do).
    func gather(_ bytes: [UInt8], root: Int) throws -> [[UInt8]]
    /// The root's bytes, on every rank. What other ranks pass is ignored.
    func broadcast(_ bytes: [UInt8], root: Int) throws -> [UInt8]
}

/// A job of one rank, without MPI.
package struct SingleProcess: CheckpointExchange, Sendable {
    package init() {}
    package var rank: Int { 0 }
    package var size: Int { 1 }
    package func gather(_ bytes: [UInt8], root: Int) -> [[UInt8]] { [bytes] }
    package func broadcast(_ bytes: [UInt8], root: Int) -> [UInt8] { bytes }
}

/// One rank's result, or why it failed, as bytes that can be gathered or broadcast: a tag, then the bytes or the text.
enum Outcome {
    case success([UInt8])
    /// A user's file that cannot be used (thrown again as `BadInput`).
    case badInput(location: String, problem: String)
    /// Anything else that went wrong (thrown again as `CheckpointFailure`).
    case failure(String)

    init(catching body: () throws -> [UInt8]) {
        do {
            self = .success(try body())
        } catch let error as BadInput {
            self = .badInput(location: error.location, problem: error.problem)
        } catch {
            self = .failure("\(error)")
        }
    }

    init(encoded bytes: [UInt8]) {
        let payload = bytes.dropFirst()
        switch bytes.first {
        case 0: self = .success(Array(payload))
        case 1:
            let parts = payload.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
            self = .badInput(
                location: String(decoding: parts.first ?? [], as: UTF8.self),
                problem: String(decoding: parts.dropFirst().first ?? [], as: UTF8.self))
        default: self = .failure(String(decoding: payload, as: UTF8.self))
        }
    }

    var encoded: [UInt8] {
        switch self {
        case .success(let bytes): [0] + bytes
        case .badInput(let location, let problem): [1] + Array(location.utf8) + [0] + Array(problem.utf8)
        case .failure(let text): [2] + Array(text.utf8)
        }
    }

    /// What went wrong, or nil.
    var problem: String? {
        switch self {
        case .success: nil
        case .badInput(let location, let problem): "\(location): \(problem)"
        case .failure(let text): text
        }
    }

    func get() throws -> [UInt8] {
        switch self {
        case .success(let bytes): return bytes
        case .badInput(let location, let problem): throw BadInput(location, problem)
        case .failure(let text): throw CheckpointFailure(text)
        }
    }
}

extension CheckpointExchange {
    /// Runs `body` on rank 0 alone; every rank then returns its bytes or throws its error. Collective.
    func fromRoot(_ body: () throws -> [UInt8]) throws -> [UInt8] {
        let mine = rank == 0 ? Outcome(catching: body).encoded : []
        return try Outcome(encoded: broadcast(mine, root: 0)).get()
    }

    /// The outcomes of all ranks, on rank 0; an empty list elsewhere. Collective.
    func outcomesAtRoot(_ mine: Outcome) throws -> [Outcome] {
        let all = try gather(mine.encoded, root: 0)
        return rank == 0 ? all.map(Outcome.init(encoded:)) : []
    }
}
