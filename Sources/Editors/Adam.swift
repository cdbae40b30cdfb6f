import CKernels
import Foundation
import TensorCore

/// Adam (Kingma and Ba, arXiv 1412.6980) on the rows that this rank owns.
package struct Adam: Sendable, Equatable {
    package var rate: Float
    package var beta1: Float = 0.9
    package var beta2: Float = 0.999
    package var epsilon: Float = 1e-8
    /// Steps taken.
    package var steps = 0

    package init(rate: Float) { self.rate = rate }

    /// One step of every parameter; gradients are left as they are. Afterwards only the owned rows of a value are current. `factor` is of the rate.
    package mutating func step(_ parameters: [Parameter], factor: (Parameter) -> Float = { _ in 1 }) {
        steps += 1
        let correction1 = 1 - pow(Double(beta1), steps), correction2 = 1 - pow(Double(beta2), steps)
        for parameter in parameters {
            let owned = parameter.value.rows(parameter.ownedRows), rate = rate * factor(parameter)
            if parameter.isLogarithmic { owned.replace(log) }
            defer { if parameter.isLogarithmic { owned.replace(exp) } }
            let block = 1 << 16
            parallelFor((owned.count + block - 1) / block) { index in
                let first = index * block, count = min(block, owned.count - first)
                amend_adam(
                    owned.pointer + first, parameter.firstMoment.pointer + first, parameter.secondMoment.pointer + first,
                    parameter.gradient.pointer + first, count, rate, beta1, beta2, epsilon, correction1, correction2)
            }
        }
    }

    private func pow(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<exponent { result *= base }
        return result
    }
}

/// Adam on matrices that no `Parameter` holds.
package struct AdamSteps: Sendable {
    private let adam: Adam
    private var corrections = (1.0, 1.0)
    private var powers = (1.0, 1.0)

    package init(rate: Float) { adam = Adam(rate: rate) }

    /// Before the matrices of a step.
    package mutating func begin() {
        powers = (powers.0 * Double(adam.beta1), powers.1 * Double(adam.beta2))
        corrections = (1 - powers.0, 1 - powers.1)
    }

    package func step(_ value: Matrix, _ first: Matrix, _ second: Matrix, _ gradient: Matrix) {
        let block = 1 << 16
        parallelFor((value.count + block - 1) / block) { index in
            let start = index * block
            amend_adam(
                value.pointer + start, first.pointer + start, second.pointer + start, gradient.pointer + start, min(block, value.count - start), adam.rate, adam.beta1,
                adam.beta2, adam.epsilon, corrections.0, corrections.1)
        }
    }
}

extension Matrix {
    fileprivate func replace(_ function: (Double) -> Double) {
        for index in 0..<count { pointer[index] = Float(function(Double(pointer[index]))) }
    }
}
