import Checkpointing
import Foundation

/// A small state with every kind of tensor: with and without reference, whole and sharded, all types, odd sizes, empty.
final class SampleState: @unchecked Sendable {
    struct Entry {
        let name: String
        let shape: [Int]
        let elementType: StateElement
        let pieces: [Range<Int>]
        let isSharded: Bool
        let referenceSeed: UInt64?
        let storage: UnsafeMutableRawBufferPointer
    }

    private(set) var entries: [Entry] = []

    /// `moved`: whether the parameter with a reference has left its initial value. `trained` changes all the rest.
    init(trained: UInt64 = 1, moved: Bool = true, parameterRows: Int = 64) {
        add("parameter.A", [parameterRows, 50], .f32, seed: moved ? trained : 77, reference: 77)
        add("adam.first.A", [8, 401], .f32, pieces: 8, seed: trained + 1)
        add("moments.mean", [33], .f64, seed: trained + 2)
        add("cursor", [5], .i64, seed: trained + 3)
        add("flags", [1001], .u8, pieces: 3, seed: trained + 4)
        add("edits.none", [0, 7], .f32, pieces: 2, seed: trained + 5)
        add("scalar", [], .f64, seed: trained + 6)
    }

    deinit { for entry in entries { entry.storage.deallocate() } }

    private func add(_ name: String, _ shape: [Int], _ type: StateElement, pieces: Int = 1, seed: UInt64, reference: UInt64? = nil) {
        let count = shape.reduce(1, *)
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, count * type.width), alignment: 16)
        Self.fill(storage, elements: 0..<count, type: type, seed: seed)
        let ranges = (0..<pieces).map { count * $0 / pieces..<count * ($0 + 1) / pieces }
        entries.append(
            Entry(
                name: name, shape: shape, elementType: type, pieces: ranges, isSharded: pieces > 1, referenceSeed: reference,
                storage: storage))
    }

    /// Values that depend on seed and element alone. f32: of a bell shape, as parameters are.
    static func fill(_ target: UnsafeMutableRawBufferPointer, elements: Range<Int>, type: StateElement, seed: UInt64) {
        for (i, element) in elements.enumerated() {
            let bits = mix(seed &* 1_000_003 &+ UInt64(element))
            switch type {
            case .f32:
                let sum = (0..<4).reduce(Float(0)) { $0 + Float(bits >> (16 * $1) & 0xFFFF) / 65536 }
                target.storeBytes(of: (sum - 2).bitPattern, toByteOffset: 4 * i, as: UInt32.self)
            case .f64: target.storeBytes(of: (Double(bits) / 1e19).bitPattern, toByteOffset: 8 * i, as: UInt64.self)
            case .i64: target.storeBytes(of: bits, toByteOffset: 8 * i, as: UInt64.self)
            case .u8: target.storeBytes(of: UInt8(truncatingIfNeeded: bits), toByteOffset: i, as: UInt8.self)
            }
        }
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// The state as rank `rank` of `size` has it: of a sharded tensor it must be asked only for the pieces it holds.
    func tensors(rank: Int, of size: Int, referenceSeedShift: UInt64 = 0, violations: Lines = Lines()) -> [StateTensor] {
        entries.map { entry in
            let holder: (Int) -> Int? = { entry.isSharded ? $0 * size / entry.pieces.count : nil }
            return StateTensor(
                name: entry.name, shape: entry.shape, elementType: entry.elementType, pieces: .init(entry.pieces, holder: holder),
                bytes: { elements in
                    let piece = entry.pieces.firstIndex { $0.lowerBound <= elements.lowerBound && elements.upperBound <= $0.upperBound }
                    if piece == nil || ![nil, rank].contains(holder(piece!)) { violations.add("\(entry.name) \(elements)") }
                    let width = entry.elementType.width
                    return UnsafeRawBufferPointer(
                        rebasing: entry.storage[elements.lowerBound * width..<elements.upperBound * width])
                },
                reference: entry.referenceSeed.map { seed in
                    { Self.fill($1, elements: $0, type: entry.elementType, seed: seed + referenceSeedShift) }
                })
        }
    }

    func bytes(_ entry: Entry) -> [UInt8] { Array(entry.storage[..<(entry.shape.reduce(1, *) * entry.elementType.width)]) }
}

let sampleDocument = CheckpointDocument(
    state: ["batches": 20, "loss": 0.1, "zero": -0.0, "large": 1e18, "name": "a \"b\" \n é 🙂"], notes: ["seconds": 12.5])

/// Options with small chunks, so that the sample state has many.
func sampleOptions(_ directory: String, chunkBytes: Int = 512) -> CheckpointOptions {
    var options = CheckpointOptions(directory: directory, method: "emsedit", configuration: "run: {seed: 1}\n", keepLast: 100)
    (options.chunkBytes, options.lockWaitSeconds) = (chunkBytes, 0.2)
    return options
}

/// Saves on `ranks` ranks; each rank's result.
func save(
    _ state: SampleState, step: Int, ranks: Int, options: CheckpointOptions, document: CheckpointDocument = sampleDocument,
    report: Lines = Lines()
) -> [Result<CheckpointInfo, any Error>] {
    RankGroup.run(ranks) { exchange in
        let store = try CheckpointStore(options: options, exchange: exchange, report: report.add)
        let tensors = state.tensors(rank: exchange.rank, of: exchange.size, violations: report)
        return try store.begin(step: step, state: tensors, document: document, exchange: exchange).finish()
    }
}

/// The newest valid checkpoint's step and all its values, read by every rank of `ranks`; nil if there is none.
func loadNewest(
    _ directory: String, like state: SampleState, ranks: Int = 1, report: Lines = Lines()
) throws -> (step: Int, digest: String, values: [String: [UInt8]])? {
    let results = RankGroup.run(ranks) { exchange -> (step: Int, digest: String, values: [String: [UInt8]])? in
        guard let loaded = try CheckpointReader(directory: directory, report: report.add).newest(exchange: exchange) else { return nil }
        let tensors = state.tensors(rank: exchange.rank, of: exchange.size)
        try loaded.check(holds: tensors)
        var values: [String: [UInt8]] = [:]
        for tensor in tensors { values[tensor.name] = try read(loaded, tensor) }
        return (loaded.step, loaded.digest, values)
    }
    let all = try results.map { try $0.get() }
    for other in all where other?.step != all[0]?.step || other?.values != all[0]?.values { throw RankGroup.TimedOut() }
    return all[0]
}

func read(_ loaded: LoadedCheckpoint, _ tensor: StateTensor, elements: Range<Int>? = nil) throws -> [UInt8] {
    let elements = elements ?? 0..<tensor.shape.reduce(1, *)
    var bytes = [UInt8](repeating: 0xAA, count: elements.count * tensor.elementType.width)
    try bytes.withUnsafeMutableBytes { buffer in
        guard let start = buffer.baseAddress else { return }
        try loaded.read(tensor: tensor, elements: elements, into: start)
    }
    return bytes
}

extension SampleState {
    var values: [String: [UInt8]] { Dictionary(uniqueKeysWithValues: entries.map { ($0.name, bytes($0)) }) }
}
