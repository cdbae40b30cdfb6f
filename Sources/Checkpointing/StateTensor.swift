import TensorCore

/// The type of a tensor's elements, stored little-endian.
package enum StateElement: String, Sendable, CaseIterable {
    case f32, f64, i64, u8

    /// Bytes of one element.
    package var width: Int {
        switch self {
        case .u8: 1
        case .f32: 4
        case .f64, .i64: 8
        }
    }
}

/// What a checkpoint says about a tensor apart from its values: the same for any number of ranks.
package struct TensorLayout: Sendable, Equatable {
    package let name: String
    package let shape: [Int]
    package let elementType: StateElement
    /// Contiguous element ranges, in order, that together cover the tensor.
    package let pieces: [Range<Int>]

    /// The number of elements: the product of the shape, checked when the layout was made.
    package let elementCount: Int
    package var byteCount: Int { elementCount * elementType.width }

    /// Throws `BadInput` at `location` unless the shape's product fits and the pieces cover it in order.
    init(name: String, shape: [Int], elementType: StateElement, pieces: [Range<Int>], location: String) throws {
        var count = 1
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow else { throw BadInput(location, "'\(name)' has the impossible shape \(shape)") }
            count = product
        }
        guard !count.multipliedReportingOverflow(by: elementType.width).overflow else {
            throw BadInput(location, "'\(name)' has the impossible shape \(shape)")
        }
        var end = 0
        for piece in pieces {
            guard piece.lowerBound == end else {
                throw BadInput(location, "'\(name)' has a piece from element \(piece.lowerBound), expected one from \(end)")
            }
            end = piece.upperBound
        }
        guard end == count else {
            throw BadInput(location, "the pieces of '\(name)' cover \(end) elements, its shape \(shape) has \(count)")
        }
        (self.name, self.shape, self.elementType, self.pieces) = (name, shape, elementType, pieces)
        elementCount = count
    }

    /// For messages: "f32 [576, 1536]".
    package var typeAndShape: String { "\(elementType.rawValue) \(shape)" }
}

/// One tensor of the state to save, and how to get at its values.
///
/// The closures may be called from background threads, several at once when the store uses several threads, from
/// `begin` until `finish` returns: what they read must not change in that time.
/// Make them in nonisolated code: a closure that belongs to the main actor traps on another thread.
package struct StateTensor {
    /// Unique in the state, e.g. "network.step0.576x1536.blocks.0.A".
    package let name: String
    /// All extents ≥ 0. An empty shape is a scalar: one element.
    package let shape: [Int]
    package let elementType: StateElement
    package let pieces: Pieces
    /// The bytes of a range of elements within a piece. Called only on a rank that holds the piece; they must stay
    /// valid until `finish` returns.
    package let bytes: (Range<Int>) -> UnsafeRawBufferPointer
    /// Fills a buffer with the seeded initial values of a range of elements, to XOR with: a parameter that has not
    /// moved then costs nothing. nil: there is none. Reading needs the same reference.
    package let reference: ((Range<Int>, UnsafeMutableRawBufferPointer) -> Void)?

    /// How a tensor is cut, and who holds the parts.
    package struct Pieces {
        /// Contiguous element ranges, in order, that cover the tensor and never depend on the number of ranks (V slices, or
        /// just one). May be empty.
        let ranges: [Range<Int>]
        /// The rank that holds a piece (sharded optimizer state), or nil if every rank holds it. In the latter case the
        /// state's chunk i is written by rank i mod R.
        let holder: (_ piece: Int) -> Int?

        /// By default every rank holds everything.
        package init(_ ranges: [Range<Int>], holder: @escaping (_ piece: Int) -> Int? = { _ in nil }) {
            self.ranges = ranges
            self.holder = holder
        }
    }

    /// `pieces` defaults to one piece with everything, which every rank holds.
    package init(
        name: String, shape: [Int], elementType: StateElement, pieces: Pieces? = nil,
        bytes: @escaping (Range<Int>) -> UnsafeRawBufferPointer,
        reference: ((Range<Int>, UnsafeMutableRawBufferPointer) -> Void)? = nil
    ) {
        self.name = name
        self.shape = shape
        self.elementType = elementType
        self.pieces = pieces ?? Pieces([0..<shape.reduce(1, *)])
        self.bytes = bytes
        self.reference = reference
    }

    /// The layout; shape and pieces that do not fit each other are the programmer's mistake.
    var layout: TensorLayout {
        do {
            return try TensorLayout(name: name, shape: shape, elementType: elementType, pieces: pieces.ranges, location: "state")
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
