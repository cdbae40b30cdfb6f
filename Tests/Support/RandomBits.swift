import TensorCore

/// SplitMix64 (Steele, Lea, Flood 2014): what a fuzzer draws its damage from.
package struct RandomBits: RandomNumberGenerator {
    var state: UInt64

    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }

    package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    package mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }

    /// True once in `times`.
    package mutating func once(in times: Int) -> Bool { below(times) == 0 }
}

/// Standard normal elements, times `scale`; `seed` and `lane` tell draws apart.
package func normals(_ rows: Int, _ columns: Int, seed: UInt64, lane: UInt32, scale: Float = 1) -> Matrix {
    let matrix = Matrix(rows: rows, columns: columns)
    RandomStream(seed: seed, purpose: .tests, lane: lane).fillNormal(0..<matrix.count, into: matrix.pointer)
    matrix.scale(by: scale)
    return matrix
}
