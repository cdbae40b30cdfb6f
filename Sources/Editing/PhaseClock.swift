import LinearAlgebra

/// Where the time of a run goes: the seconds, matrix operations and bytes of matrix operands of this rank in each phase. A phase inside another is not counted in the
/// outer one, so that phases add up.
package final class PhaseClock {
    package enum Phase: String, CaseIterable, Sendable {
        /// The frozen layers below the first edited one, for every prompt.
        case prefix
        /// Forward and backward on the edits, for keys and value gradients.
        case capture
        case normalizer
        case hypernetwork
        case solve
        /// Adding a solved edit to the model.
        case apply
        /// Forward and backward on the rephrasings, and the projection of what they say about the edit.
        case metaGradient
        case hypernetworkBackward
        /// Clipping and Adam.
        case update
        /// Between ranks.
        case exchange
        /// Waiting for, and starting, the writing of checkpoints.
        case checkpoint
    }

    package struct Share: Sendable {
        package var seconds = 0.0
        package var operations = 0.0
        /// What matrix products had to move at least; see `matrixBytes`.
        package var bytes = 0.0
    }

    private var shares: [Phase: Share] = [:]
    private var running: [Phase] = []
    private var mark = ContinuousClock.now
    private var operationsMark = 0.0
    private var bytesMark = 0.0

    package init() {}

    /// Of the phases that have run, in the order of `Phase`.
    package var totals: [(phase: Phase, share: Share)] { Phase.allCases.compactMap { phase in shares[phase].map { (phase, $0) } } }

    package func measure<Result>(_ phase: Phase, _ body: () throws -> Result) rethrows -> Result {
        charge()
        running.append(phase)
        defer {
            charge()
            running.removeLast()
        }
        return try body()
    }

    /// Puts the time since the last mark down to the innermost phase.
    private func charge() {
        let now = ContinuousClock.now, operations = matrixOperations, bytes = matrixBytes
        if let phase = running.last {
            shares[phase, default: Share()].seconds += (now - mark) / .seconds(1)
            shares[phase, default: Share()].operations += operations - operationsMark
            shares[phase, default: Share()].bytes += bytes - bytesMark
        }
        (mark, operationsMark, bytesMark) = (now, operations, bytes)
    }
}
