import CKernels
import Foundation
import TensorCore

/// Cosines and sines of every position and frequency, and the turning of heads by them.
struct Rotary: Sendable {
    private let headSize: Int
    private let dimensions: Int
    private let turnsNeighbors: Bool
    private let cosines: Matrix  // [positions, dimensions / 2]
    private let sines: Matrix  // [positions, dimensions / 2]

    init(_ configuration: RotaryConfiguration, headSize: Int, positions: Int) {
        let frequencies = Self.frequencies(configuration)
        let half = configuration.dimensions / 2
        self.headSize = headSize
        dimensions = configuration.dimensions
        turnsNeighbors = configuration.turnsNeighbors
        let cosines = Matrix(uninitializedRows: positions, columns: half), sines = Matrix(uninitializedRows: positions, columns: half)
        parallelFor(positions, grain: 64) { position in
            for i in 0..<half {
                let angle = Double(Float(position) * frequencies[i])
                cosines[position, i] = Float(cos(angle))
                sines[position, i] = Float(sin(angle))
            }
        }
        (self.cosines, self.sines) = (cosines, sines)
    }

    /// Radians per position of each pair: base^(−2i / dimensions), scaled.
    private static func frequencies(_ configuration: RotaryConfiguration) -> [Float] {
        let dimensions = Double(configuration.dimensions)
        let plain = (0..<configuration.dimensions / 2).map { Float(1 / pow(Double(configuration.base), Double(2 * $0) / dimensions)) }
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
        }
    }

    /// Turns every head of `rows` [tokens, heads · headSize] by its token's position; `inverse` turns gradients back.
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
