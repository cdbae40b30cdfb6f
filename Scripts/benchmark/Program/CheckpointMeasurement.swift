import Checkpointing
import Editors
import Foundation
import TensorCore

/// Writing and reading the state of an editor: one hypernetwork of width 2112 and rank 1024 after a few updates, with Adam's moments.
struct CheckpointMeasurement {
    static let name = "checkpoint"
    private static let rounds = 3

    /// Of the state, uncompressed and on disk.
    let bytes: Int
    let storedBytes: Int
    /// From the start of a save until it is committed to disk, on one thread beside the program's.
    let write: Timing
    /// Verifying and decoding everything.
    let read: Timing

    init() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("amend-benchmark-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let editor = Self.trainedEditor(), exchange = SingleProcess()
        let state = editor.parameters.flatMap(Self.tensors)
        let options = CheckpointOptions(directory: directory, method: "emsedit", configuration: "", keepLast: 1)
        let store = try CheckpointStore(options: options, exchange: exchange) { _ in }
        var info: CheckpointInfo?
        func seconds(_ body: () throws -> Void) rethrows -> Double {
            let start = ContinuousClock.now
            try body()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        write = Timing(
            seconds: try (1...Self.rounds).map { step in
                try seconds { info = try store.begin(step: step, state: state, document: CheckpointDocument(state: [:]), exchange: exchange).finish() }
            })
        let target = Bytes(count: state.map { 4 * $0.shape.reduce(1, *) }.max() ?? 0)
        read = Timing(
            seconds: try (1...Self.rounds).map { _ in
                try seconds {
                    guard let checkpoint = try store.newest(exchange: exchange) else { throw BadInput(directory, "holds no checkpoint") }
                    for tensor in state { try checkpoint.read(tensor: tensor, elements: 0..<tensor.shape.reduce(1, *), into: target.pointer) }
                }
            })
        (bytes, storedBytes) = (info?.rawBytes ?? 0, info?.bytes ?? 0)
    }

    /// Gradients are sums over a few rows, as training's are.
    private static func trainedEditor() -> Editor {
        let shape = Sizes.job.model
        let editor = Editor(
            EditorOptions(steps: 1, rank: Sizes.job.rank, blocks: 1, innerLearningRate: 1e-3, hasNetworkPerStep: false, seed: 1),
            shapes: [ModuleShape(keySize: shape.hidden, valueSize: shape.intermediate)], ownership: .everything(pieces: 8))
        var adam = Adam(rate: 1e-5)
        for update in 0..<3 {
            editor.clearGradients()
            for network in editor.allNetworks {
                func rows(_ columns: Int, _ first: Int) -> Matrix { Samples.matrix(first + Sizes.job.answers, columns).rows(first..<first + Sizes.job.answers) }
                network.accumulateMatrices(
                    block: 0, inputs: rows(network.width, 3 * update), hidden: rows(network.rank, 5 * update),
                    rows: HyperNetwork.BlockRows(gradient: rows(network.width, 7 * update), hiddenGradient: rows(network.rank, 11 * update)))
            }
            adam.step(editor.parameters)
        }
        return editor
    }

    private static func tensors(of parameter: Parameter) -> [StateTensor] {
        func tensor(_ kind: String, _ matrix: Matrix, reference: ((Range<Int>, UnsafeMutableRawBufferPointer) -> Void)? = nil) -> StateTensor {
            StateTensor(
                name: "\(kind).\(parameter.name)", shape: parameter.shape, elementType: .f32,
                bytes: { UnsafeRawBufferPointer(start: matrix.pointer + $0.lowerBound, count: 4 * $0.count) }, reference: reference)
        }
        return [
            tensor("parameter", parameter.value) { range, out in
                parameter.fillStart(range, into: out.baseAddress!.assumingMemoryBound(to: Float.self))
            },
            tensor("adam.first", parameter.firstMoment), tensor("adam.second", parameter.secondMoment),
        ]
    }
}
