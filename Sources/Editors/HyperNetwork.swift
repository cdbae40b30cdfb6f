import CKernels
import Foundation
import LinearAlgebra
import TensorCore

/// The shape of an edited module: the widths of its input and output.
package struct ModuleShape: Hashable, Sendable, CustomStringConvertible {
    package let keySize: Int
    package let valueSize: Int

    package init(keySize: Int, valueSize: Int) {
        self.keySize = keySize
        self.valueSize = valueSize
    }

    package var description: String { "\(keySize)x\(valueSize)" }
}

/// The network that turns captured rows into an editor's, for all modules of one shape (MALMEN, arXiv 2311.04661; EMSEdit,
/// arXiv 2508.04012):
///
///     z ← normalise([u; δ]);  z ← z + scale ∘ max(0, z A B + bias) + shift, `blocks` times;  [ũ; δ̃] = z;  then the `readout`
///
/// scale, shift, η and λ are each module's own. A method without a hypernetwork has no blocks, and nothing here that is trained. The derivative of max(0, x) at zero is one: B and bias start at zero and would
/// never learn otherwise.
///
/// Legend: N rows, k keySize, v valueSize, w = k + v, r rank, M modules of this shape.
package final class HyperNetwork {
    package final class Block {
        package let a: Parameter  // [w, r]
        package let b: Parameter  // [r, w]
        package let bias: Parameter  // [w]
        package let scale: Parameter  // [M, w]
        package let shift: Parameter  // [M, w]

        init(name: String, width: Int, rank: Int, modules: Int, start: Parameter.Start, ownership: Ownership) {
            func parameter(_ suffix: String, _ shape: [Int], _ start: Parameter.Start) -> Parameter {
                Parameter(name: "\(name).\(suffix)", shape: shape, start: start, ownership: ownership)
            }
            a = parameter("A", [width, rank], start)
            b = parameter("B", [rank, width], .constant(0))
            bias = parameter("bias", [width], .constant(0))
            scale = parameter("scale", [modules, width], .constant(1))
            shift = parameter("shift", [modules, width], .constant(0))
        }

        var parameters: [Parameter] { [a, b, bias, scale, shift] }
    }

    package let shape: ModuleShape
    package let rank: Int
    package let modules: Int
    package let blocks: [Block]
    package let learningRates: Parameter  // [M]: η
    package let logLambdas: Parameter  // [M]: log λ
    package let moments: RunningMoments
    /// Of products with A and B, forward and backward.
    package let arithmetic: Arithmetic
    package let readout: any Readout
    package let isTrained: Bool

    /// `options` has this network's own rank. `lane` is the number of its first block among all of the editor's: it selects the random stream.
    package init(name: String, shape: ModuleShape, modules: Int, options: EditorOptions, lane: UInt32, ownership: Ownership) {
        self.shape = shape
        self.modules = modules
        rank = options.rank
        arithmetic = options.arithmetic
        readout = options.readout
        isTrained = options.isTrained
        let width = shape.keySize + shape.valueSize
        let deviation: Float = options.initialization == .scaled ? 1 / Float(width).squareRoot() : 1
        blocks = (0..<options.blocks).map {
            let stream = RandomStream(seed: options.seed, purpose: .hypernetworkInitialization, lane: lane + UInt32($0))
            return Block(
                name: "\(name).blocks.\($0)", width: width, rank: options.rank, modules: modules, start: .normal(stream, deviation: deviation), ownership: ownership)
        }
        learningRates = Parameter(
            name: "\(name).lr", shape: [modules], start: .constant(options.innerLearningRate), ownership: ownership, isScalars: true,
            isLogarithmic: options.learnsLogarithmOfRates)
        logLambdas = Parameter(name: "\(name).log_lambda", shape: [modules], start: .constant(0), ownership: ownership, isScalars: true)
        moments = RunningMoments(keySize: shape.keySize, valueSize: shape.valueSize)
    }

    package var width: Int { shape.keySize + shape.valueSize }
    /// What training changes.
    package var parameters: [Parameter] { isTrained ? blocks.flatMap(\.parameters) + [learningRates, logLambdas] : [] }

    /// λ of module `index`.
    package func lambda(_ index: Int) -> Float { Float(exp(Double(logLambdas.value[0, index]))) }

    /// What a forward pass over some rows leaves.
    package struct Pass {
        package let modules: [Int]  // of each row, among the modules of this shape
        package let keys: Matrix  // [N, k]
        package let inputs: [Matrix]  // of each block [N, w], then the last block's output
        package let hidden: [Matrix]  // z A of each block [N, r]
        package let preactivations: [Matrix]  // z A B + bias of each block [N, w]
        package let made: ReadoutRows
    }

    /// What a backward pass over the same rows leaves for one block; the gradients of A and B are products of these over all rows.
    package struct BlockRows {
        package let gradient: Matrix  // [N, w]: ∂L/∂(z A B)
        package let hiddenGradient: Matrix  // [N, r]: ∂L/∂(z A)

        package init(gradient: Matrix, hiddenGradient: Matrix) {
            self.gradient = gradient
            self.hiddenGradient = hiddenGradient
        }
    }

    /// keys [N, k], gradients [N, v], already observed by `moments`; `standardizer` is theirs, by default as they are. `keepsActivations` false
    /// frees them as it goes.
    package func forward(keys: Matrix, gradients: Matrix, modules: [Int], standardizer: Standardizer? = nil, keepsActivations: Bool) -> Pass {
        precondition(modules.count == keys.rows, "\(modules.count) module indices for \(keys.rows) rows")
        var z = (standardizer ?? moments.standardizer).normalize(keys: keys, gradients: gradients)
        var inputs: [Matrix] = [], hidden: [Matrix] = [], preactivations: [Matrix] = []
        for block in blocks {
            let h = multiply(z.operand, block.a.value.operand, in: arithmetic)
            let pre = multiply(h.operand, block.b.value.operand, in: arithmetic)
            let out = Matrix(uninitializedRows: z.rows, columns: width)
            parallelFor(z.rows, grain: 4) { row in
                amend_block_forward(
                    out.row(row), z.row(row), pre.row(row), block.bias.value.pointer, block.scale.value.row(modules[row]),
                    block.shift.value.row(modules[row]), width)
            }
            if keepsActivations {
                inputs.append(z)
                hidden.append(h)
                preactivations.append(pre)
            }
            z = out
        }
        inputs.append(z)
        return Pass(
            modules: modules, keys: keys, inputs: inputs, hidden: hidden, preactivations: preactivations,
            made: readout.forward(keys: keys, z: z, rates: rates(modules)))
    }

    private func rates(_ modules: [Int]) -> [Float] { modules.map { learningRates.value[0, $0] } }

    /// The gradients of a pass's vectors, summed over each of `slices` (ranges of its rows) apart so that they can be added up in
    /// one fixed order wherever the slices were computed.
    package struct VectorGradients {
        /// Of each slice: bias, scale and shift of every block, then learning rates; see `HyperNetwork.add(vectors:)`.
        package let slices: [Matrix]  // each [1, vectorCount]
    }

    /// Floats that a pass keeps of each row.
    package var activationsPerRow: Int { blocks.count * (2 * width + rank) }

    /// Floats in a slice of `VectorGradients`.
    package var vectorCount: Int { blocks.count * (1 + 2 * modules) * width + modules }

    /// `gradient` is ∂L/∂ the rows that the pass made. Adds nothing to any parameter: see `accumulateMatrices` and `add(vectors:)`.
    package func backward(_ pass: Pass, gradient: ReadoutRows, slices: [Range<Int>]) -> (blocks: [BlockRows], vectors: VectorGradients) {
        precondition(pass.hidden.count == blocks.count, "the pass kept no activations")
        let (dz, shares) = readout.backward(keys: pass.keys, z: pass.inputs[blocks.count], rates: rates(pass.modules), gradient: gradient)
        let vectors = slices.map { _ in Matrix(rows: 1, columns: vectorCount) }
        for (slice, range) in zip(vectors, slices) {
            for row in range { slice[0, vectorCount - modules + pass.modules[row]] += shares[row] }
        }
        var rows: [BlockRows] = []
        for index in blocks.indices.reversed() {
            let block = blocks[index], g = Matrix(uninitializedRows: dz.rows, columns: width)
            let strip = 512, strips = (width + strip - 1) / strip  // of columns: there may be one slice, and many threads
            parallelFor(slices.count * strips) { job in
                let slice = job / strips, first = job % strips * strip
                let base = vectors[slice].pointer + index * (1 + 2 * modules) * width + first
                for row in slices[slice] {
                    let module = pass.modules[row]
                    amend_block_backward(
                        g.row(row) + first, base + (1 + module) * width, base + (1 + modules + module) * width, base, dz.row(row) + first,
                        pass.preactivations[index].row(row) + first, block.scale.value.row(module) + first, min(strip, width - first))
                }
            }
            let hiddenGradient = multiply(g.operand, block.b.value.transposed, in: arithmetic)
            multiply(hiddenGradient.operand, block.a.value.transposed, into: dz, accumulate: true, in: arithmetic)
            rows.append(BlockRows(gradient: g, hiddenGradient: hiddenGradient))
        }
        return (rows.reversed(), VectorGradients(slices: vectors))
    }

    /// Adds ∂L/∂A = zᵀ ∂h and ∂L/∂B = hᵀ g of one block to the rows that this rank owns, over all rows in canonical order.
    package func accumulateMatrices(block index: Int, inputs: Matrix, hidden: Matrix, rows: BlockRows) {
        let block = blocks[index]
        multiply(
            inputs.transposed.rows(block.a.ownedRows), rows.hiddenGradient.operand, into: block.a.gradient, accumulate: true,
            in: arithmetic)
        multiply(hidden.transposed.rows(block.b.ownedRows), rows.gradient.operand, into: block.b.gradient, accumulate: true, in: arithmetic)
    }

    /// Gradients of A and B over some of the rows.
    package struct MatrixGradients {
        package let a: [Matrix]  // of each block [w, r]
        package let b: [Matrix]  // of each block [r, w]
    }

    package func zeroMatrixGradients() -> MatrixGradients {
        MatrixGradients(a: blocks.map { _ in Matrix(rows: width, columns: rank) }, b: blocks.map { _ in Matrix(rows: rank, columns: width) })
    }

    /// gradients += those of the rows of `pass`, of which `rows` is the backward pass.
    package func accumulate(_ pass: Pass, _ rows: [BlockRows], into gradients: MatrixGradients) {
        for (index, rows) in rows.enumerated() {
            multiply(pass.inputs[index].transposed, rows.hiddenGradient.operand, into: gradients.a[index], accumulate: true, in: arithmetic)
            multiply(pass.hidden[index].transposed, rows.gradient.operand, into: gradients.b[index], accumulate: true, in: arithmetic)
        }
    }

    /// Adds ∂L/∂A and ∂L/∂B of one block, summed over all rows, to the rows that this rank owns.
    package func add(block index: Int, a: Matrix, b: Matrix) {
        let block = blocks[index]
        block.a.gradient.add(a.rows(block.a.ownedRows))
        block.b.gradient.add(b.rows(block.b.ownedRows))
    }

    /// Adds the sum over all slices of their `VectorGradients` to the owned rows of bias, scale, shift and learning rate.
    package func add(vectors: Matrix) {
        precondition(vectors.count == vectorCount, "\(vectors.count) floats of vector gradients, expected \(vectorCount)")
        var offset = 0
        func take(_ parameter: Parameter) {
            let whole = Matrix(view: vectors, offset: offset, rows: parameter.value.rows, columns: parameter.value.columns)
            let own = whole.rows(parameter.ownedRows)
            if parameter.isLogarithmic {
                let value = parameter.value.rows(parameter.ownedRows)
                for row in 0..<own.rows {
                    for column in 0..<own.columns { parameter.gradient[row, column] += own[row, column] * value[row, column] }
                }
            } else {
                parameter.gradient.add(own)
            }
            offset += parameter.value.count
        }
        for block in blocks {
            take(block.bias)
            take(block.scale)
            take(block.shift)
        }
        take(learningRates)
    }

    /// Adds ∂L/∂log λ of each module.
    package func add(logLambdaGradients: [Float]) {
        guard !logLambdas.ownedRows.isEmpty else { return }
        for (module, gradient) in logLambdaGradients.enumerated() { logLambdas.gradient[0, module] += gradient }
    }
}
