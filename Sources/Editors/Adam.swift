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
        begin()
        for parameter in parameters {
            let owned = parameter.value.rows(parameter.ownedRows)
            if parameter.isLogarithmic { owned.replace(log) }
            step(owned, parameter.firstMoment, parameter.secondMoment, parameter.gradient, factor: factor(parameter))
            if parameter.isLogarithmic { owned.replace(exp) }
        }
    }

    /// Before the matrices of a step.
    package mutating func begin() { steps += 1 }

    /// The step that has begun, of one matrix and its moments.
    package func step(_ value: Matrix, _ first: Matrix, _ second: Matrix, _ gradient: Matrix, factor: Float = 1) {
        let correction1 = 1 - pow(Double(beta1), steps), correction2 = 1 - pow(Double(beta2), steps), rate = rate * factor, block = 1 << 16
        parallelFor((value.count + block - 1) / block) { index in
            let start = index * block
            amend_adam(
                value.pointer + start, first.pointer + start, second.pointer + start, gradient.pointer + start, min(block, value.count - start), rate, beta1, beta2,
                epsilon, correction1, correction2)
        }
    }

    private func pow(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<exponent { result *= base }
        return result
    }
}

extension Matrix {
    fileprivate func replace(_ function: (Double) -> Double) {
        for index in 0..<count { pointer[index] = Float(function(Double(pointer[index]))) }
    }
}
