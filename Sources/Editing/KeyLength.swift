import TensorCore

/// How long keys that are to stay where they are may be: longer ones count as though they were that long.
///
/// A model's first token, and some delimiters, have keys hundreds of times as long as others in some layers (massive activations, arXiv 2402.17762), and outputs to
/// match, which no shift that is small elsewhere changes in proportion. As they are they would leave float32 no room for all the others.
package enum KeyLength {
    /// Times the median.
    static let bound: Float = 3

    /// Of the rows.
    package static func all(_ keys: Matrix) -> [Float] {
        (0..<keys.rows).map { row in
            let key = keys.rows(row..<row + 1)
            return Float(dot(key, key).squareRoot())
        }
    }

    /// Among keys of these lengths.
    package static func longest(_ lengths: [Float]) -> Float { lengths.isEmpty ? 0 : bound * lengths.sorted()[lengths.count / 2] }
}

extension Matrix {
    /// Scales rows that are longer down to `length`; where none is given, to what is the longest among these.
    package func shortenRows(to length: Float? = nil) {
        let lengths = KeyLength.all(self), longest = length ?? KeyLength.longest(lengths)
        for (row, own) in lengths.enumerated() where own > longest { rows(row..<row + 1).scale(by: longest / own) }
    }
}
