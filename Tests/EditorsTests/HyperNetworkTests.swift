import Editors
import TensorCore
import TestSupport
import Testing

/// A small network on a few rows; every parameter, start and row is random, so that every gradient matters.
struct SmallNetwork {
    static let keySize = 3, valueSize = 4, width = 7, rank = 5, modules = 2, rowCount = 6
    static let rowModules = [0, 1, 1, 0, 1, 0]

    let network: HyperNetwork
    let keys = normals(rowCount, keySize, lane: 1), gradients = normals(rowCount, valueSize, lane: 2, scale: 0.1)
    /// The loss is ⟨weights, d⟩.
    let weights = normals(rowCount, valueSize, lane: 3)

    init(ownership: Ownership = .everything(pieces: 1), rate: Float = 0.5) {
        network = HyperNetwork(
            name: "small", shape: ModuleShape(keySize: Self.keySize, valueSize: Self.valueSize), modules: Self.modules,
            options: EditorOptions(steps: 1, rank: Self.rank, blocks: 2, innerLearningRate: rate, hasNetworkPerStep: false, seed: 3), lane: 0, ownership: ownership)
        for (index, parameter) in network.parameters.enumerated() {
            let isVectorOfOnes = parameter.name.hasSuffix("scale") || parameter.name.hasSuffix("lr")
            let drift = normals(parameter.value.rows, parameter.value.columns, lane: 100 + UInt32(index), scale: isVectorOfOnes ? 0.2 : 0.3)
            parameter.value.add(drift)
        }
        network.moments.observe(keys: keys, gradients: gradients)
    }

    func forward(keepsActivations: Bool = true) -> HyperNetwork.Pass {
        network.forward(keys: keys, gradients: gradients, modules: Self.rowModules, keepsActivations: keepsActivations)
    }

    /// Forward, backward and all accumulation; the gradients are then in the parameters.
    func accumulate(slices: [Range<Int>]) {
        let pass = forward(), backward = network.backward(pass, gradient: ReadoutRows(differences: weights), slices: slices)
        for index in network.blocks.indices {
            network.accumulateMatrices(block: index, inputs: pass.inputs[index], hidden: pass.hidden[index], rows: backward.blocks[index])
        }
        let vectors = Matrix(rows: 1, columns: network.vectorCount)
        for slice in backward.vectors.slices { vectors.add(slice) }
        network.add(vectors: vectors)
    }

    /// d [N, v] in double precision, with `values` [rows][columns] in the places of the network's parameters.
    func reference(_ values: [[[Double]]]) -> [[Double]] {
        let pass = network.moments.normalize(keys: keys, gradients: gradients).doubles
        return zip(pass, Self.rowModules).enumerated().map { index, row in
            var (z, module) = row
            for block in network.blocks.indices {
                let a = values[5 * block], b = values[5 * block + 1], bias = values[5 * block + 2][0]
                let scale = values[5 * block + 3][module], shift = values[5 * block + 4][module]
                let pre = product(product([z], a), b)[0]
                z = z.indices.map { i in
                    let active = max(0, pre[i] + bias[i])
                    return z[i] + scale[i] * active + shift[i]
                }
            }
            let rate = values[5 * network.blocks.count][0][module]
            let along = dot([keys.doubles[index]], [Array(z[..<Self.keySize])])
            return z[Self.keySize...].map { -rate * along * $0 }
        }
    }
}

@Suite struct HyperNetworkTests {
    @Test func forwardIsThatOfTheReference() {
        let small = SmallNetwork(), pass = small.forward()
        expectClose(pass.made.differences, small.reference(small.network.parameters.map(\.value.doubles)).flatMap { $0 }, "d")
        let bare = small.forward(keepsActivations: false)
        #expect(bare.hidden.isEmpty && bare.preactivations.isEmpty)
        expectSame(bare.made.differences, pass.made.differences, "d without activations")
    }

    @Test func backwardIsTheDerivative() {
        let small = SmallNetwork(), parameters = small.network.parameters
        small.accumulate(slices: [0..<SmallNetwork.rowCount])
        let values = parameters.map(\.value.doubles), weights = small.weights.doubles
        for (index, parameter) in parameters.enumerated() where !parameter.name.hasSuffix("log_lambda") {
            let expected = centralDifferences(at: values[index].flatMap { $0 }) { flat in
                var changed = values
                changed[index] = matrix(flat, columns: parameter.value.columns)
                return dot(weights, small.reference(changed))
            }
            expectClose(parameter.gradient, expected, within: 1e-5, parameter.name)
        }
    }

    @Test func gradientsAddUp() {
        let small = SmallNetwork(), slices = [0..<SmallNetwork.rowCount]
        small.accumulate(slices: slices)
        let once = small.network.parameters.map { $0.gradient.elements.map { 2 * Double($0) } }
        small.accumulate(slices: slices)
        for (parameter, expected) in zip(small.network.parameters, once) where !parameter.name.hasSuffix("log_lambda") {
            expectClose(parameter.gradient, expected, within: 1e-6, parameter.name)
        }
        small.network.add(logLambdaGradients: [1, 2])
        small.network.add(logLambdaGradients: [0.5, 0])
        #expect(small.network.logLambdas.gradient.elements == [1.5, 2])
    }

    /// A slice's vectors are those of its rows alone: they may be computed anywhere and added up in one order.
    @Test func slicesAreIndependent() {
        let small = SmallNetwork(), pass = small.forward()
        let slices = [0..<2, 2..<2, 2..<6]
        let whole = small.network.backward(pass, gradient: ReadoutRows(differences: small.weights), slices: slices).vectors.slices
        #expect(whole[1].elements.allSatisfy { $0 == 0 })
        for (slice, expected) in zip(slices, whole) where !slice.isEmpty {
            let part = small.network.forward(
                keys: small.keys.rows(slice), gradients: small.gradients.rows(slice), modules: Array(SmallNetwork.rowModules[slice]),
                keepsActivations: true)
            let found = small.network.backward(part, gradient: ReadoutRows(differences: small.weights.rows(slice)), slices: [0..<slice.count])
            expectSame(found.vectors.slices[0], expected, "vectors of rows \(slice)")
            expectSame(part.made.differences, pass.made.differences.rows(slice), "d of rows \(slice)")
        }
    }

    /// ∂A and ∂B formed of parts of the rows, against all rows at once.
    @Test func matricesOfPartsAddUp() {
        let whole = SmallNetwork(), parts = SmallNetwork(), sums = parts.network.zeroMatrixGradients()
        whole.accumulate(slices: [0..<SmallNetwork.rowCount])
        for range in [0..<2, 2..<SmallNetwork.rowCount] {
            let pass = parts.network.forward(
                keys: parts.keys.rows(range), gradients: parts.gradients.rows(range), modules: Array(SmallNetwork.rowModules[range]), keepsActivations: true)
            let backward = parts.network.backward(pass, gradient: ReadoutRows(differences: parts.weights.rows(range)), slices: [0..<range.count])
            parts.network.accumulate(pass, backward.blocks, into: sums)
        }
        for (index, (found, expected)) in zip(parts.network.blocks, whole.network.blocks).enumerated() {
            parts.network.add(block: index, a: sums.a[index], b: sums.b[index])
            expectClose(found.a.gradient, expected.a.gradient.elements.map(Double.init), within: 1e-6, found.a.name)
            expectClose(found.b.gradient, expected.b.gradient.elements.map(Double.init), within: 1e-6, found.b.name)
        }
    }

    /// Three ranks that own a third of every parameter each, against one that owns everything.
    @Test func ownershipChangesNoBit() {
        let slices = [0..<2, 2..<6]
        let all = SmallNetwork(ownership: .everything(pieces: 3))
        all.accumulate(slices: slices)
        all.network.add(logLambdaGradients: [0.3, -0.2])
        var step = Adam(rate: 0.1)
        step.step(all.network.parameters)
        for rank in 0..<3 {
            let part = SmallNetwork(ownership: Ownership(pieces: 3, owned: rank..<rank + 1))
            part.accumulate(slices: slices)
            part.network.add(logLambdaGradients: [0.3, -0.2])
            var step = Adam(rate: 0.1)
            step.step(part.network.parameters)
            for (own, whole) in zip(part.network.parameters, all.network.parameters) {
                expectSame(own.gradient, whole.gradient.rows(own.ownedRows), "\(own.name) on rank \(rank)")
                expectSame(own.value.rows(own.ownedRows), whole.value.rows(own.ownedRows), "\(own.name) on rank \(rank)")
                #expect(own.gradientSquares(ofPiece: rank) == whole.gradientSquares(ofPiece: rank))
            }
        }
        for parameter in all.network.parameters {
            #expect((0..<3).flatMap { Array(parameter.rows(ofPieces: $0..<$0 + 1)) } == Array(0..<parameter.value.rows), "each row has one owner")
        }
    }

    @Test func threadsChangeNoBit() async {
        await #expect(processExitsWith: .success) {
            let runs = [1, 2, 3].map { threads in
                Threads.start(threads)
                let small = SmallNetwork()
                small.accumulate(slices: [0..<1, 1..<3, 3..<6])
                return small.network.parameters.map { $0.gradient.copy() } + [small.forward().made.differences]
            }
            for (one, (two, three)) in zip(runs[0], zip(runs[1], runs[2])) {
                expectSame(two, one, "two threads against one")
                expectSame(three, one, "three threads against one")
            }
        }
    }

    @Test func lambdaIsTheExponential() {
        let small = SmallNetwork()
        small.network.logLambdas.value[0, 1] = -2
        #expect(abs(small.network.lambda(1) - 0.13533528) < 1e-8)
    }
}
