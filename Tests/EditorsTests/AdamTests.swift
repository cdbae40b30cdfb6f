import Editors
import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct AdamTests {
    /// The settings that the paper proposes.
    @Test func constantsAreThePapers() {
        let adam = Adam(rate: 0.01)
        #expect(adam.beta1 == 0.9 && adam.beta2 == 0.999 && adam.epsilon == 1e-8 && adam.rate == 0.01)
    }

    /// Algorithm 1 of arXiv 1412.6980, with the last of five gradients zero.
    @Test func stepsAreThoseOfTheReference() {
        let small = SmallNetwork(), parameters = small.network.parameters
        var adam = Adam(rate: 0.01)
        let starts = parameters.map(\.value.elements)
        var change = parameters.map { [Double](repeating: 0, count: $0.value.count) }, first = change, second = change
        let (beta1, beta2) = (Double(adam.beta1), Double(adam.beta2))
        for step in 1...5 {
            for (index, parameter) in parameters.enumerated() {
                let gradient = normals(parameter.value.rows, parameter.value.columns, lane: UInt32(50 * step + index), scale: step < 5 ? 0.1 : 0)
                parameter.gradient.assign(gradient)
                for (i, g) in gradient.elements.enumerated() {
                    first[index][i] += (1 - beta1) * (Double(g) - first[index][i])
                    second[index][i] += (1 - beta2) * (Double(g) * Double(g) - second[index][i])
                    let root = (second[index][i] / (1 - pow(beta2, Double(step)))).squareRoot() + Double(adam.epsilon)
                    change[index][i] -= 0.01 * first[index][i] / (1 - pow(beta1, Double(step))) / root
                }
            }
            adam.step(parameters)
        }
        #expect(adam.steps == 5)
        for (index, parameter) in parameters.enumerated() {
            let found = zip(parameter.value.elements, starts[index]).map { Double($0) - Double($1) }
            let largest = zip(found, change[index]).reduce(0) { max($0, abs($1.0 - $1.1)) }
            #expect(largest < 2e-6, "\(parameter.name): a step differs by \(largest)")  // values near one in float32, steps near 0.03
            #expect(relativeError(parameter.firstMoment.elements, first[index]) < 1e-5, "\(parameter.name)'s first moment")
            #expect(relativeError(parameter.secondMoment.elements, second[index]) < 1e-4, "\(parameter.name)'s second moment")
        }
    }

    /// A parameter longer than the block that a thread takes.
    @Test func longParametersAreSteppedWhole() throws {
        let network = HyperNetwork(
            name: "long", shape: ModuleShape(keySize: 200, valueSize: 200), modules: 1,
            options: EditorOptions(steps: 1, rank: 170, blocks: 1, innerLearningRate: 1e-3, hasNetworkPerStep: false, seed: 1), lane: 0,
            ownership: .everything(pieces: 3))
        let a = network.blocks[0].a, start = a.value.copy()
        #expect(a.value.count > 1 << 16)
        a.gradient.fill(-1)
        var adam = Adam(rate: 0.25)
        adam.step([a])
        #expect(zip(a.value.elements, start.elements).allSatisfy { abs($0 - $1 - 0.25) < 1e-5 })
    }
}
