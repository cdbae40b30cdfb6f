import Editors
import TensorCore
import TestSupport
import Testing

@Suite struct ParameterTests {
    private func network(seed: UInt64 = 3, lane: UInt32 = 0) -> HyperNetwork {
        HyperNetwork(
            name: "step0.3x4", shape: ModuleShape(keySize: 3, valueSize: 4), modules: 2,
            options: EditorOptions(steps: 1, rank: 5, blocks: 2, innerLearningRate: 1e-3, hasNetworkPerStep: false, seed: seed), lane: lane,
            ownership: .everything(pieces: 2))
    }

    @Test func startsAreThoseOfMALMEN() {
        let network = network()
        for block in network.blocks {
            #expect(block.a.shape == [7, 5] && block.b.shape == [5, 7] && block.bias.shape == [7] && block.scale.shape == [2, 7])
            #expect(block.b.value.elements.allSatisfy { $0 == 0 } && block.bias.value.elements.allSatisfy { $0 == 0 })
            #expect(block.scale.value.elements.allSatisfy { $0 == 1 } && block.shift.value.elements.allSatisfy { $0 == 0 })
        }
        #expect(network.learningRates.value.elements == [1e-3, 1e-3] && network.logLambdas.value.elements == [0, 0])
        #expect(network.lambda(0) == 1)
    }

    @Test func resettingGivesTheStartBack() {
        let network = network()
        for parameter in network.parameters {
            let start = parameter.value.copy()
            parameter.value.fill(.nan)
            parameter.reset()
            expectSame(parameter.value, start, parameter.name)
            let part = Matrix(rows: 1, columns: 2)
            parameter.fillStart(start.count - 2..<start.count, into: part.pointer)
            #expect(part.elements == start.elements.suffix(2), "\(parameter.name): the start of two elements")
        }
    }

    @Test func blocksSeedsAndLanesStartApart() {
        let starts = [network().blocks[0], network().blocks[1], network(seed: 4).blocks[0], network(lane: 2).blocks[0]].map(\.a.value.elements)
        #expect(Set(starts).count == 4)
        #expect(network(lane: 1).blocks[0].a.value.elements == starts[1], "lanes count blocks")
    }

    /// The same numbers, by the root of the width.
    @Test func scaledMatricesStartSmaller() {
        let shape = ModuleShape(keySize: 3, valueSize: 4)
        let a = EditorOptions.Initialization.allCases.map { initialization in
            var options = EditorOptions(steps: 1, rank: 6, blocks: 1, innerLearningRate: 1e-3, hasNetworkPerStep: true, seed: 1)
            options.initialization = initialization
            return Editor(options, shapes: [shape], ownership: .everything(pieces: 1)).allNetworks[0].blocks[0].a.value.elements
        }
        expectClose(a[1], a[0].map { Double($0) / 7.0.squareRoot() }, within: 1e-6, "A")
    }

    @Test func editorsGroupModulesByShape() {
        let wide = ModuleShape(keySize: 3, valueSize: 4), tall = ModuleShape(keySize: 4, valueSize: 3)
        let options = EditorOptions(steps: 2, rank: 6, blocks: 2, innerLearningRate: 1e-3, hasNetworkPerStep: true, seed: 1)
        let editor = Editor(options, shapes: [tall, wide, tall, tall], ownership: .everything(pieces: 1))
        #expect(editor.groups.map(\.shape) == [tall, wide] && editor.groups.map(\.modules) == [[0, 2, 3], [1]])
        #expect(editor.networks(step: 0).map(\.rank) == [6, 6] && editor.networks(step: 1).map(\.rank) == [3, 3])
        #expect(editor.networks(step: 1).map(\.modules) == [3, 1])
        #expect(editor.parameters.count == 4 * 12 && Set(editor.parameters.map(\.name)).count == 4 * 12)
        let drawn = editor.allNetworks.flatMap { $0.blocks.map { $0.a.value.elements.prefix(10) } }
        #expect(Set(drawn).count == 8, "every block has its own random start")

        editor.parameters[0].gradient.fill(1)
        editor.clearGradients()
        #expect(editor.parameters[0].gradient.sumOfSquares == 0)

        var shared = options
        shared.hasNetworkPerStep = false
        let one = Editor(shared, shapes: [wide], ownership: .everything(pieces: 1))
        #expect(one.networks(step: 1)[0] === one.networks(step: 0)[0] && one.allNetworks.count == 1)
    }
}
