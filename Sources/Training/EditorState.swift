import Checkpointing
import Communication
import Editing
import Editors
import TensorCore
import Transformer

extension Communicator: CheckpointExchange {}

/// The tensors of a run as a checkpoint holds them: parameters and Adam moments by reference (they change only at updates, before
/// which a save is finished), what changes with every batch as copies.
struct EditorState {
    let editor: Editor
    let model: LanguageModel
    let work: ShardedWork

    // MARK: Saving

    /// Averages of parameters are there where the run keeps any, and are then what an editor is read from. `includesGradients`: there are gradients gathered since the last update.
    func tensors(includesGradients: Bool) -> [StateTensor] {
        var tensors: [StateTensor] = []
        for parameter in editor.parameters { tensors += self.tensors(of: parameter, includesGradient: includesGradients) }
        for network in editor.allNetworks { tensors += moments(of: network) }
        for module in model.edited { tensors += edit(of: module) }
        return tensors
    }

    private func tensors(of parameter: Parameter, includesGradient: Bool) -> [StateTensor] {
        let columns = parameter.value.columns
        let pieces = (0..<parameter.pieceCount).map { piece in
            let rows = parameter.rows(ofPieces: piece..<piece + 1)
            return rows.lowerBound * columns..<rows.upperBound * columns
        }
        func sharded(_ kind: String, _ owned: Matrix) -> StateTensor {
            let first = parameter.ownedRows.lowerBound * columns
            return StateTensor(
                name: "\(kind).\(parameter.name)", shape: parameter.shape, elementType: .f32,
                pieces: .init(pieces) { [partition = work.partition] in partition.owner(of: $0) },
                bytes: { range in Self.bytes(owned, range.lowerBound - first, range.count) })
        }
        let value = StateTensor(
            name: "parameter.\(parameter.name)", shape: parameter.shape, elementType: .f32, pieces: .init(pieces),
            bytes: { range in Self.bytes(parameter.value, range.lowerBound, range.count) },
            reference: { range, out in parameter.fillStart(range, into: out.baseAddress!.assumingMemoryBound(to: Float.self)) })
        return [value, sharded("adam.first", parameter.firstMoment), sharded("adam.second", parameter.secondMoment)]
            + (parameter.average.map { [sharded("average", $0)] } ?? []) + (includesGradient ? [sharded("gradient", parameter.gradient.copy())] : [])
    }

    private static func bytes(_ matrix: Matrix, _ first: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: matrix.pointer + first, count: count * MemoryLayout<Float>.stride)
    }

    private func moments(of network: HyperNetwork) -> [StateTensor] {
        let name = Self.name(of: network)
        func tensor(_ suffix: String, _ values: [Double]) -> StateTensor {
            let copy = DoubleStorage(values)
            return StateTensor(
                name: "\(name).\(suffix)", shape: [values.count], elementType: .f64,
                bytes: { range in UnsafeRawBufferPointer(UnsafeBufferPointer(start: copy.pointer + range.lowerBound, count: range.count)) })
        }
        return [tensor("mean", network.moments.means), tensor("squares", network.moments.squares)]
    }

    private func edit(of module: Linear) -> [StateTensor] {
        func tensor(_ suffix: String, _ matrix: Matrix?) -> StateTensor? {
            guard let matrix else { return nil }
            return StateTensor(
                name: "edit.\(module.name).\(suffix)", shape: [matrix.rows, matrix.columns], elementType: .f32,
                bytes: { range in Self.bytes(matrix, range.lowerBound, range.count) })
        }
        let edit = module.edit
        return [
            tensor("keys", edit.factors?.keys), tensor("products", edit.factors?.products), tensor("dense", edit.dense), tensor("held", edit.held.rows),
            tensor("held_moment", edit.held.moment),
        ].compactMap { $0 }
    }

    /// Of each network: the rows its moments have seen.
    var momentCounts: [String: Int] {
        Dictionary(uniqueKeysWithValues: editor.allNetworks.map { (Self.name(of: $0), $0.moments.count) })
    }

    private static func name(of network: HyperNetwork) -> String {
        "moments." + network.learningRates.name.replacing(".lr", with: "")
    }

    // MARK: Loading

    /// What of a checkpoint is read.
    enum Content {
        /// To go on training, with gradients gathered since the last update where there are any.
        case run(includesGradients: Bool)
        /// To edit with.
        case editor
        /// What the normalisers have seen. The networks stay as they are.
        case normalizers
    }

    /// Fills the editor from a checkpoint, and for a run that goes on the model's edits.
    func load(_ content: Content, of checkpoint: LoadedCheckpoint, momentCounts: [String: Int]) throws {
        switch content {
        case .run(let includesGradients):
            try loadParameters(checkpoint, isForTraining: true, includesGradients: includesGradients)
            try loadMoments(checkpoint, momentCounts)
            for module in model.edited { try loadEdit(of: module, checkpoint) }
        case .editor:
            try loadParameters(checkpoint, isForTraining: false, includesGradients: false)
            try loadMoments(checkpoint, momentCounts)
        case .normalizers: try loadMoments(checkpoint, momentCounts)
        }
    }

    private func loadParameters(_ checkpoint: LoadedCheckpoint, isForTraining: Bool, includesGradients: Bool) throws {
        for parameter in editor.parameters {
            for tensor in tensors(of: parameter, includesGradient: false).prefix(isForTraining ? 3 : 1) {
                let isValue = tensor.name.hasPrefix("parameter.")
                let rows = isValue ? 0..<parameter.value.rows : parameter.ownedRows
                let target = isValue ? parameter.value : tensor.name.hasPrefix("adam.first") ? parameter.firstMoment : parameter.secondMoment
                try checkpoint.read(tensor: tensor, elements: elements(rows, parameter), into: target.pointer)
            }
            let average = "average.\(parameter.name)"
            if isForTraining, let own = parameter.average {
                try checkpoint.read(tensor: average, elements: elements(parameter.ownedRows, parameter), into: own.pointer)
            } else if !isForTraining, checkpoint.tensor(named: average) != nil {
                try checkpoint.read(tensor: average, elements: elements(0..<parameter.value.rows, parameter), into: parameter.value.pointer)
            }
            if includesGradients {
                try checkpoint.read(tensor: "gradient.\(parameter.name)", elements: elements(parameter.ownedRows, parameter), into: parameter.gradient.pointer)
            }
        }
    }

    private func loadMoments(_ checkpoint: LoadedCheckpoint, _ momentCounts: [String: Int]) throws {
        for network in editor.allNetworks {
            let name = Self.name(of: network)
            guard let count = momentCounts[name] else { throw BadInput(checkpoint.path, "has no count for '\(name)'") }
            func read(_ suffix: String) throws -> [Double] {
                var values = [Double](repeating: 0, count: network.moments.features)
                try values.withUnsafeMutableBytes { try checkpoint.read(tensor: "\(name).\(suffix)", elements: 0..<network.moments.features, into: $0.baseAddress!) }
                return values
            }
            network.moments.set(count: count, means: try read("mean"), squares: try read("squares"))
        }
    }

    private func elements(_ rows: Range<Int>, _ parameter: Parameter) -> Range<Int> {
        rows.lowerBound * parameter.value.columns..<rows.upperBound * parameter.value.columns
    }

    private func loadEdit(of module: Linear, _ checkpoint: LoadedCheckpoint) throws {
        func read(_ suffix: String, rows: Int?, columns: Int) throws -> Matrix? {
            let name = "edit.\(module.name).\(suffix)"
            guard let layout = checkpoint.tensor(named: name) else { return nil }
            guard layout.elementType == .f32, layout.shape.count == 2, layout.shape[1] == columns, rows == nil || layout.shape[0] == rows else {
                throw BadInput(checkpoint.path, "'\(name)' is \(layout.typeAndShape); the module is [\(module.valueSize), \(module.keySize)]")
            }
            let matrix = Matrix(uninitializedRows: layout.shape[0], columns: columns)
            try checkpoint.read(tensor: name, elements: 0..<matrix.count, into: matrix.pointer)
            return matrix
        }
        let keys = try read("keys", rows: nil, columns: module.keySize)
        let products = try read("products", rows: keys?.rows ?? 0, columns: module.valueSize)
        let dense = try read("dense", rows: module.valueSize, columns: module.keySize)
        let held = HeldKeys(rows: try read("held", rows: nil, columns: module.keySize), moment: try read("held_moment", rows: module.keySize, columns: module.keySize))
        guard (keys == nil) == (products == nil) else { throw BadInput(checkpoint.path, "'edit.\(module.name)' has one factor of two") }
        var factors: WeightEdit.Factors?
        if let keys, let products { factors = WeightEdit.Factors(keys: keys, products: products) }
        module.setEdit(WeightEdit(keySize: module.keySize, valueSize: module.valueSize, factors: factors, dense: dense, held: held))
    }
}

/// A copy of doubles at an address that stays.
private final class DoubleStorage: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<Double>

    init(_ values: [Double]) {
        pointer = .allocate(capacity: max(1, values.count))
        pointer.initialize(from: values, count: values.count)
    }

    deinit { pointer.deallocate() }
}
