import Communication
import Editors
import TensorCore

/// Clipping and Adam over gradients that are spread over the ranks.
final class Optimizer {
    let editor: Editor
    let work: ShardedWork
    let maxGradientNorm: Double
    var adam: Adam

    init(editor: Editor, work: ShardedWork, maxGradientNorm: Double, rate: Double) {
        self.editor = editor
        self.work = work
        self.maxGradientNorm = maxGradientNorm
        adam = Adam(rate: Float(rate))
    }

    /// The norm of all gradients. Throws on every rank alike when it is not finite.
    func gradientNorm(place: String) throws -> Double {
        let parameters = editor.parameters
        let squares = work.ownShards.map { piece in parameters.reduce(0.0) { $0 + $1.gradientSquares(ofPiece: piece) } }
        let norm = try work.sum(squares).squareRoot()
        guard norm.isFinite else { throw NumericalFailure(try describeFailure(place)) }
        return norm
    }

    /// Scales all gradients so that their norm is at most `maxGradientNorm`; returns the norm before.
    func clip(place: String) throws -> Double {
        let norm = try gradientNorm(place: place)
        let factor = maxGradientNorm / (norm + 1e-6)
        if factor < 1 {
            for parameter in editor.parameters { parameter.gradient.scale(by: Float(factor)) }
        }
        return norm
    }

    /// One step of Adam on the gradients as they are, which are then cleared; every rank receives the others' rows.
    func step() throws {
        let parameters = editor.parameters
        adam.step(parameters)
        editor.clearGradients()
        try shareValues()
    }

    /// Brings every rank's owned rows of every parameter to all ranks.
    private func shareValues() throws {
        guard work.communicator.size > 1 else { return }
        try work.phases.measure(.exchange) {
            for parameter in editor.parameters {
                let counts = (0..<work.communicator.size).map {
                    parameter.rows(ofPieces: work.partition.range(of: $0)).count * parameter.value.columns
                }
                try work.communicator.allGather(parameter.value.row(parameter.ownedRows.lowerBound), counts: counts, into: parameter.value.pointer)
            }
        }
    }

    /// Names the first tensor whose gradient is not finite, on whichever rank holds it.
    private func describeFailure(_ place: String) throws -> String {
        let finite = try work.communicator.allGather(editor.parameters.map { $0.gradient.isFinite ? 1.0 : 0.0 })
        let names = editor.parameters.enumerated().filter { index, _ in finite.contains { $0[index] == 0 } }.map { $0.element.name }
        return "\(place): the gradient norm is not finite; first in \(names.first ?? "the sum of all squares")"
    }
}
