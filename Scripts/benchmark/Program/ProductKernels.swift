import Editors
import LinearAlgebra
import TensorCore

// m rows × in -> out: forward is x Wᵀ, backward dy W, of a weight W [out, in] as its file stores it.

extension Catalogue {
    var products: [Kernel] {
        let model = sizes.model, all: [Operand.Element] = [.float32, .bfloat16, .q4_1]
        var kernels =
            weights(sizes.rows, model.hidden, model.intermediate, all) + weights(sizes.rows, model.intermediate, model.hidden, all)
            + weights([sizes.tokens], model.hidden, model.hidden, all) + [queryKeyValue] + weights([sizes.answers], model.hidden, model.vocabulary, all)
        if let large = sizes.largeModel {
            kernels +=
                weights([sizes.answers, sizes.tokens], large.hidden, large.intermediate, all)
                + weights([sizes.tokens], large.intermediate, large.hidden, [.bfloat16])
        }
        return kernels + hypernetworkProducts
    }

    private func weights(_ rows: [Int], _ input: Int, _ output: Int, _ elements: [Operand.Element]) -> [Kernel] {
        elements.flatMap { element in
            rows.flatMap { m in [true, false].map { weight(m, input, output, element, isForward: $0) } }
        }
    }

    private func weight(_ m: Int, _ input: Int, _ output: Int, _ element: Operand.Element, isForward: Bool) -> Kernel {
        let name = "product.\(isForward ? "forward" : "backward").\(element.name).\(m)x\(input)x\(output)"
        return product(name, m, input * output / element.blockSize * element.blockBytes, input, [output]) {
            let data = Samples.stored(element, count: input * output)
            let weight = Operand(data: data.pointer, element: element, rows: output, columns: input, stride: input, owner: data)
            let x = Samples.matrix(m, isForward ? input : output), y = Samples.matrix(m, isForward ? output : input)
            return { multiply(x.operand, isForward ? weight.transposed : weight, into: y) }
        }
    }

    private func product(_ name: String, _ m: Int, _ stored: Int, _ input: Int, _ outputs: [Int], _ prepare: @escaping () -> () -> Void) -> Kernel {
        let output = outputs.reduce(0, +)
        return Kernel(
            name: name, operations: 2 * Double(m * input * output), bytes: Double(4 * m * (input + output) + stored), yardstick: .sgemm,
            prepare: prepare)
    }

    /// Three weights that read the same rows, as attention's do.
    private var queryKeyValue: Kernel {
        let shape = sizes.model, m = sizes.tokens, element = Operand.Element.q4_1
        let outputs = [shape.hidden, shape.keyValueHeads * shape.headSize, shape.keyValueHeads * shape.headSize], input = shape.hidden
        let stored = outputs.reduce(0) { $0 + $1 * input / element.blockSize * element.blockBytes }
        return product("product.forward-three.\(element.name).\(m)x\(input)x\(outputs.reduce(0, +))", m, stored, input, outputs) {
            let weights = outputs.map { output in
                let data = Samples.stored(element, count: input * output)
                return Operand(data: data.pointer, element: element, rows: output, columns: input, stride: input, owner: data).transposed
            }
            let x = Samples.matrix(m, input), y = outputs.map { Samples.matrix(m, $0) }
            return { multiply(x.operand, weights, into: y) }
        }
    }

    /// z A and back, and the gradient zᵀ ∂h of A.
    private var hypernetworkProducts: [Kernel] {
        let width = sizes.model.width, rank = sizes.rank
        return [sizes.answers, sizes.captured].flatMap { m -> [Kernel] in
            let size = "\(m)x\(width)x\(rank)"
            return [
                product("product.hypernetwork-forward.\(size)", m, 4 * width * rank, width, [rank]) {
                    let z = Samples.matrix(m, width), a = Samples.matrix(width, rank), h = Samples.matrix(m, rank)
                    return { multiply(z.operand, a.operand, into: h) }
                },
                product("product.hypernetwork-backward.\(size)", m, 4 * width * rank, width, [rank]) {
                    let h = Samples.matrix(m, rank), a = Samples.matrix(width, rank), dz = Samples.matrix(m, width)
                    return { multiply(h.operand, a.transposed, into: dz) }
                },
                product("product.hypernetwork-gradient.\(size)", m, 8 * width * rank, width, [rank]) {  // read and written
                    let z = Samples.matrix(m, width), h = Samples.matrix(m, rank), gradient = Matrix(rows: width, columns: rank)
                    return { multiply(z.transposed, h.operand, into: gradient, accumulate: true) }
                },
            ]
        }
    }

    /// Solving, and the gradient back through it: dual for few rows, primal for more than the key size.
    var ridge: [Kernel] {
        let shape = sizes.model
        return sizes.ridgeRows.flatMap { rows -> [Kernel] in
            let n = Double(rows), k = Double(shape.hidden), v = Double(shape.intermediate)
            let isDual = RidgeSolution.form(rows: rows, keySize: shape.hidden) == .dual
            let size = isDual ? n : k  // of the system
            let solve = size * size * size / 3 + 2 * size * size * v, gram = isDual ? 2 * n * n * k : 2 * n * k * k + 2 * n * k * v
            let name = "\(isDual ? "dual" : "primal").\(rows)x\(shape.hidden)x\(shape.intermediate)"
            func data() -> (keys: Matrix, differences: Matrix) { (Samples.matrix(rows, shape.hidden), Samples.matrix(rows, shape.intermediate)) }
            func solved(_ data: (keys: Matrix, differences: Matrix)) -> RidgeSolution {
                do { return try RidgeSolution(keys: data.keys, differences: data.differences, lambda: 100) } catch { preconditionFailure("\(error)") }
            }
            return [
                Kernel(name: "ridge.forward.\(name)", operations: gram + solve, bytes: 4 * (n * (k + v) + size * v), yardstick: .sgemm) {
                    let given = data()
                    return { _ = solved(given) }
                },
                Kernel(
                    name: "ridge.backward.\(name)", operations: 2 * size * size * v + (isDual ? 0 : 2 * n * k * v),
                    bytes: 4 * (2 * size * v + n * (isDual ? 0 : k + v)), yardstick: .sgemm
                ) {
                    let solution = solved(data()), h = Samples.matrix(Int(size), shape.intermediate), start = h.copy()
                    return {
                        h.assign(start)  // it is overwritten, and solving again and again would make it vanish
                        _ = solution.solveBackward(inPlace: h)
                        _ = solution.differenceGradients(h, rows: 0..<rows)
                    }
                },
            ]
        }
    }
}

extension Operand.Element {
    /// As in names of kernels.
    var name: String {
        switch self {
        case .float32: "f32"
        case .float16: "f16"
        case .bfloat16: "bf16"
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: "\(self)"
        }
    }
}
