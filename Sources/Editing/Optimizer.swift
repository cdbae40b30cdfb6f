import Communication
import Editors
import Foundation
import TensorCore

/// Clipping and Adam over gradients that are spread over the ranks.
final class Optimizer {
    let editor: Editor
    let work: ShardedWork
    let maxGradientNorm: Double
    /// Of η and λ, where they are learned apart from the networks' matrices.
    let scalarRate: Double?
    var adam: Adam

    init(editor: Editor, work: ShardedWork, maxGradientNorm: Double, rate: Double, scalarRate: Double?) {
        self.editor = editor
        self.work = work
        self.maxGradientNorm = maxGradientNorm
        self.scalarRate = scalarRate
        adam = Adam(rate: Float(rate))
    }

    /// The norm of all gradients. Throws on every rank alike when it is not finite.
    func gradientNorm(place: String) throws -> Double { try gradientNorm(editor.parameters, place: place) }

    private func gradientNorm(_ parameters: [Parameter], place: String) throws -> Double {
        let squares = work.ownShards.map { piece in parameters.reduce(0.0) { $0 + $1.gradientSquares(ofPiece: piece) } }
        let norm = try work.sum(squares).squareRoot()
        guard norm.isFinite else { throw NumericalFailure(try describeFailure(place)) }
        return norm
    }

    /// Scales all gradients so that their norm is at most `maxGradientNorm`, where scalars are learned apart those of either group; returns the norm
    /// before of all.
    func clip(place: String) throws -> Double {
        let norms = try groups.map { try gradientNorm($0, place: place) }
        for (group, norm) in zip(groups, norms) {
            let factor = maxGradientNorm / (norm + 1e-6)
            if factor < 1 {
                for parameter in group { parameter.gradient.scale(by: Float(factor)) }
            }
        }
        return norms.count == 1 ? norms[0] : norms.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }

    /// Parameters whose gradients are clipped together.
    private var groups: [[Parameter]] {
        scalarRate == nil ? [editor.parameters] : [editor.parameters.filter { !$0.isScalars }, editor.parameters.filter(\.isScalars)]
    }

    /// One step of Adam on the gradients as they are, which are then cleared; every rank receives the others' rows. `factor` is of the rates.
    func step(factor: Double) throws {
        let scalarFactor = scalarRate.map { Float(factor * $0) / adam.rate } ?? Float(factor)
        adam.step(editor.parameters) { $0.isScalars ? scalarFactor : Float(factor) }
        editor.clearGradients()
        try shareValues()
    }

    /// After `updates` steps: averages, where they are kept, go on to the values as they are. `decay` is what they keep of themselves; the first ones keep less, so that little is
    /// left of where they began: (1 + updates) / (10 + updates) at most.
    func average(decay: Double, updates: Int) {
        let share = 1 - min(decay, Double(1 + updates) / Double(10 + updates))
        for parameter in editor.parameters { parameter.average(Float(share)) }
    }

    /// Runs `body` with averages in the place of values, which come back afterwards.
    func withAverages<Result>(_ body: () throws -> Result) throws -> Result {
        let values = editor.parameters.map { $0.value.copy() }
        defer { for (parameter, value) in zip(editor.parameters, values) { parameter.value.assign(value) } }
        for parameter in editor.parameters { parameter.average.map { parameter.value.rows(parameter.ownedRows).assign($0) } }
        try shareValues()
        return try body()
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

/// How the rates of the optimizer change from update to update.
package struct RateSchedule: Sendable {
    /// Updates in which rates rise to what they are given as; 0: they begin there.
    package var warmup = 0
    /// After so many updates rates have fallen, along half a cosine, to a twentieth, where they stay; 0: they do not fall.
    package var decay = 0

    package init() {}

    /// Of rates at the update that follows `update` others.
    package func factor(update: Int) -> Double {
        if update < warmup { return Double(update + 1) / Double(warmup) }
        guard decay > 0 else { return 1 }
        let progress = min(1, Double(update - warmup) / Double(max(1, decay - warmup)))
        return 0.05 + 0.95 * 0.5 * (1 + cos(.pi * progress))
    }
}
