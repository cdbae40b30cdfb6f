import Foundation
import TensorCore

/// One golden case and how far this program's numbers are from it.
package struct CaseResult: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        /// The quantity nearest to (or furthest beyond) its tolerance, its relative error ‖a − b‖ / ‖b‖, and the tolerance.
        case compared(quantity: String, worst: Double, tolerance: Double)
        /// The case needs a model family or editor that is not built.
        case notSupported(String)
        /// The case could not be computed or read.
        case failed(String)
    }

    package let name: String
    package let outcome: Outcome

    package var passed: Bool {
        if case .compared(_, let worst, let tolerance) = outcome { return worst <= tolerance }
        return false
    }

    package var isSupported: Bool {
        if case .notSupported = outcome { return false }
        return true
    }
}

/// Gathers the comparisons of one case and keeps the worst, measured against its tolerance.
struct Comparison {
    private(set) var quantity = "nothing"
    private(set) var worst = Double.infinity
    private(set) var tolerance = 0.0
    private var isEmpty = true

    /// ‖found − expected‖ / ‖expected‖ against `tolerance`. Two zeros agree; a NaN never does.
    mutating func compare(_ name: String, _ found: [Float], _ expected: [Float], tolerance: Double) {
        guard found.count == expected.count else { return record("\(name) (\(found.count) elements, expected \(expected.count))", .infinity, tolerance) }
        var difference = 0.0, norm = 0.0
        for (a, b) in zip(found, expected) {
            difference += pow(Double(a) - Double(b), 2)
            norm += pow(Double(b), 2)
        }
        record(name, difference == 0 ? 0 : (difference / norm).squareRoot(), tolerance)
    }

    mutating func compare(_ name: String, _ found: Double, _ expected: Double, tolerance: Double) {
        record(name, found == expected ? 0 : abs(found - expected) / abs(expected), tolerance)
    }

    /// For what must be exactly right: an error of 1 where it is not.
    mutating func require(_ name: String, _ holds: Bool) { record(name, holds ? 0 : 1, 0) }

    private mutating func record(_ name: String, _ error: Double, _ limit: Double) {
        let error = error.isNaN ? .infinity : error
        func severity(_ error: Double, _ limit: Double) -> Double { limit > 0 ? error / limit : (error > 0 ? .infinity : 0) }
        if isEmpty || severity(error, limit) > severity(worst, tolerance) { (quantity, worst, tolerance) = (name, error, limit) }
        isEmpty = false
    }

    var outcome: CaseResult.Outcome { .compared(quantity: quantity, worst: worst, tolerance: tolerance) }
}

/// Runs the golden cases under a directory (models/*, editors/*, loops/*, tokenizers/*), in the layout that the oracle writes.
package enum SelfTest {
    /// Every case, sorted by kind and name. `report` is called as each is done. Throws `BadInput` if there are none.
    package static func run(directory: String, report: (CaseResult) -> Void = { _ in }) throws -> [CaseResult] {
        let kinds: [(String, (String, String) throws -> CaseResult.Outcome)] = [
            ("models", ModelCase.run), ("editors", EditorCase.run), ("loops", LoopCase.run), ("tokenizers", TokenizerCase.run),
        ]
        var results: [CaseResult] = []
        for (kind, run) in kinds {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(directory)/\(kind)"))?.sorted() ?? []
            for name in names {
                let result = CaseResult(name: "\(kind)/\(name)", outcome: outcome { try run(directory, name) })
                report(result)
                results.append(result)
            }
        }
        guard !results.isEmpty else {
            throw BadInput(directory, "holds no golden cases; expected subdirectories models, editors, loops or tokenizers")
        }
        return results
    }

    private static func outcome(_ body: () throws -> CaseResult.Outcome) -> CaseResult.Outcome {
        do { return try body() } catch { return .failed("\(error)") }
    }
}
