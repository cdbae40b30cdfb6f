import LinearAlgebra
import TensorCore
import Transformer

/// What a module's parameter shift is made of.
package struct ShiftSystem: Sendable {
    /// U [n, k] as captured.
    package let keys: Matrix
    /// What the editor made of the captured rows.
    package let made: ReadoutRows
    package let lambda: Float
    /// √ν C [c, k]: keys that the shift should map to zero, if there are any.
    package var contrast: Matrix?
    /// What the shift should leave alone, if that is known.
    package var background: Background?

    package init(keys: Matrix, made: ReadoutRows, lambda: Float) {
        self.keys = keys
        self.made = made
        self.lambda = lambda
    }
}

/// How the rows that an editor made of a module's captured rows become its parameter shift S [k, v].
package protocol ShiftRule: Sendable {
    /// Whether contrast keys and a background count.
    var preserves: Bool { get }

    /// Throws where there is no shift.
    func solve(_ system: ShiftSystem) throws -> any ShiftSolution
}

/// A parameter shift S [k, v], and the gradient back through it. Backward needs G = ∂L/∂S only through projections of it, matrices that are
/// linear in G and, for few edits, much smaller: they can be summed over parts of the loss, and over ranks.
package protocol ShiftSolution: Sendable {
    var isFinite: Bool { get }

    /// W ← W + Sᵀ
    func apply(to module: Linear)

    /// The shift that the same system has for other differences of the rows that the editor made; a shift is linear in them.
    func replacing(differences: Matrix) -> any ShiftSolution

    /// By how much the shift moves what the module makes of keys [m, k]: their rows times S, [m, v].
    func changes(of keys: Matrix) -> Matrix

    // MARK: Backward

    var projectionShapes: [(rows: Int, columns: Int)] { get }

    /// For each projection two factors, whose product is what the rows X [m, k] and Γ [m, v] of a backward pass add to it: G = XᵀΓ.
    func projectionFactors(_ x: Matrix, _ gradients: Matrix) -> [(left: Operand, right: Matrix)]

    /// The projections of G [k, v].
    func projections(ofShiftGradient gradient: Matrix) -> [Matrix]

    /// What coefficient · ‖ΔW‖² adds to each, for all that `edit` carries.
    func projections(ofNorm edit: WeightEdit, coefficient: Float) -> [Matrix]

    /// Turns projections, in place, into what `rowGradients` takes; returns ∂L/∂log λ.
    func solveBackward(inPlace projections: [Matrix]) -> Float

    /// ∂L/∂ the made rows `range`.
    func rowGradients(_ solved: [Matrix], rows range: Range<Int>) -> ReadoutRows
}

/// Ridge regression with the captured keys: see `RidgeSolution`.
package struct RidgeRule: ShiftRule {
    package init() {}

    package var preserves: Bool { true }

    package func solve(_ system: ShiftSystem) throws -> any ShiftSolution {
        guard let contrast = system.contrast, contrast.rows > 0 else {
            return try RidgeSolution(keys: system.keys, differences: system.made.differences, lambda: system.lambda, background: system.background)
        }
        let zeros = Matrix(rows: contrast.rows, columns: system.made.differences.columns)
        return try RidgeSolution(
            keys: .stacked([system.keys, contrast], columns: contrast.columns),
            differences: .stacked([system.made.differences, zeros], columns: zeros.columns), lambda: system.lambda, background: system.background)
    }
}

extension RidgeSolution: ShiftSolution {
    package var isFinite: Bool { solution.isFinite }

    package func apply(to module: Linear) {
        switch form {
        case .dual: module.add(keys: shiftKeys, products: solution)
        case .primal: module.add(shift: solution)
        }
    }

    package func changes(of keys: Matrix) -> Matrix {
        switch form {
        case .dual: multiply(multiply(keys.operand, shiftKeys.transposed).operand, solution.operand)
        case .primal: multiply(keys.operand, solution.operand)
        }
    }

    package var projectionShapes: [(rows: Int, columns: Int)] { [(rows, solution.columns)] }

    package func projectionFactors(_ x: Matrix, _ gradients: Matrix) -> [(left: Operand, right: Matrix)] { [(projector(x), gradients)] }

    package func projections(ofShiftGradient gradient: Matrix) -> [Matrix] { [projected(shiftGradient: gradient)] }

    package func projections(ofNorm edit: WeightEdit, coefficient: Float) -> [Matrix] { [projectedNormGradient(edit, coefficient: coefficient)] }

    package func solveBackward(inPlace projections: [Matrix]) -> Float { solveBackward(inPlace: projections[0]) }

    package func rowGradients(_ solved: [Matrix], rows range: Range<Int>) -> ReadoutRows {
        ReadoutRows(differences: differenceGradients(solved[0], rows: range))
    }
}
