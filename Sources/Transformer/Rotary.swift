import CKernels
import Foundation
import TensorCore

/// Cosines and sines of every position and frequency, times the attention factor, and the turning of heads by them.
struct Rotary: Sendable {
    private let headSize: Int
    private let dimensions: Int
    private let turnsNeighbors: Bool
    private let cosines: Matrix  // [positions, dimensions / 2]
    private let sines: Matrix  // [positions, dimensions / 2]

    init(_ configuration: RotaryConfiguration, headSize: Int, positions: Int) {
        let frequencies = Self.frequencies(configuration)
        let half = configuration.dimensions / 2, scale = configuration.attentionFactor
        self.headSize = headSize
        dimensions = configuration.dimensions
        turnsNeighbors = configuration.turnsNeighbors
        let cosines = Matrix(uninitializedRows: positions, columns: half), sines = Matrix(uninitializedRows: positions, columns: half)
        parallelFor(positions, grain: 64) { position in
            for i in 0..<half {
                let angle = Double(Float(position) * frequencies[i])
                cosines[position, i] = Float(cos(angle)) * scale
                sines[position, i] = Float(sin(angle)) * scale
            }
        }
        (self.cosines, self.sines) = (cosines, sines)
    }

    /// Radians per position of each pair: base^(−2i / dimensions), scaled. Exponent, power and reciprocal are each rounded to float32, as they are
    /// in transformers: exact frequencies would be some units in the last place away, and late positions' angles by as much.
    private static func frequencies(_ configuration: RotaryConfiguration) -> [Float] {
        let plain = (0..<configuration.dimensions / 2).map { pair in
            1 / Float(pow(Double(configuration.base), Double(Float(2 * pair) / Float(configuration.dimensions))))
        }
        switch configuration.scaling {
        case .none: return plain
        case .linear(let factor): return plain.map { $0 / factor }
        case .divisors(let divisors): return zip(plain, divisors).map { $0 / $1 }
        case .llama3(let factor, let low, let high, let original):
            // Long waves are slowed by `factor`, short ones kept, those between interpolated.
            return plain.map { frequency in
                let wavelength = 2 * Float.pi / frequency
                if wavelength > original / low { return frequency / factor }
                if wavelength < original / high { return frequency }
                let smooth = (original / wavelength - low) / (high - low)
                return (1 - smooth) * frequency / factor + smooth * frequency
            }
        case .yarn(let factor, let original, let fast, let slow, let isTruncated):
            let (low, high) = yarnRange(configuration, original: original, fast: fast, slow: slow, isTruncated: isTruncated)
            return plain.enumerated().map { index, frequency in
                let share = min(1, max(0, (Float(index) - low) / (high - low)))
                return frequency / factor * share + frequency * (1 - share)
            }
        }
    }

    /// The pairs between which YaRN goes over from kept to divided frequencies: the pair that turns n times in the original context is
    /// dimensions · ln(original / 2πn) / (2 ln base).
    private static func yarnRange(_ configuration: RotaryConfiguration, original: Float, fast: Float, slow: Float, isTruncated: Bool) -> (Float, Float) {
        func pair(_ turns: Float) -> Double {
            Double(configuration.dimensions) * log(Double(original) / (Double(turns) * 2 * .pi)) / (2 * log(Double(configuration.base)))
        }
        let low = max(0, isTruncated ? pair(fast).rounded(.down) : pair(fast))
        let high = min(Double(configuration.dimensions - 1), isTruncated ? pair(slow).rounded(.up) : pair(slow))
        return (Float(low), Float(low == high ? high + 0.001 : high))
    }

    /// Turns every head of `rows` [tokens, heads · headSize] by its token's position, times the attention factor; `inverse` turns gradients back
    /// (the transpose, so times the same factor).
    func apply(_ rows: Matrix, positions: [Int32], inverse: Bool = false) {
        let turn = turnsNeighbors ? amend_rotate_pairs : amend_rotate_halves
        parallelFor(rows.rows, grain: 8) { token in
            let position = Int(positions[token])
            for head in 0..<rows.columns / headSize {
                turn(rows.row(token) + head * headSize, cosines.row(position), sines.row(position), dimensions, inverse ? 1 : 0)
            }
        }
    }
}
