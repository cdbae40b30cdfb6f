import CKernels
import Foundation
import TensorCore

/// Cosines and sines of every position and frequency, and the turning of heads by them.
struct Rotary: Sendable {
    private let headSize: Int
    private let cosines: Matrix  // [positions, headSize / 2]
    private let sines: Matrix  // [positions, headSize / 2]

    var positions: Int { cosines.rows }

    init(_ configuration: RotaryConfiguration, headSize: Int, positions: Int) {
        let frequencies = Self.frequencies(configuration, headSize: headSize)
        let half = headSize / 2
        self.headSize = headSize
        cosines = Matrix(uninitializedRows: positions, columns: half)
        sines = Matrix(uninitializedRows: positions, columns: half)
        for position in 0..<positions {
            for i in 0..<half {
                let angle = Double(Float(position) * frequencies[i])
                cosines[position, i] = Float(cos(angle))
                sines[position, i] = Float(sin(angle))
            }
        }
    }

    /// Radians per position of each pair: base^(−2i / headSize), scaled.
    private static func frequencies(_ configuration: RotaryConfiguration, headSize: Int) -> [Float] {
        let plain = (0..<headSize / 2).map { Float(1 / pow(Double(configuration.base), Double(2 * $0) / Double(headSize))) }
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
        parallelFor(rows.rows, grain: 8) { token in
            let position = Int(positions[token])
            for head in 0..<rows.columns / headSize {
                amend_rotate_halves(rows.row(token) + head * headSize, cosines.row(position), sines.row(position), headSize, inverse ? 1 : 0)
            }
        }
    }
}
