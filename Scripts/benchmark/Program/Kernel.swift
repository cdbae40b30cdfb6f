/// Something to measure: one call of it, what that has to compute and to move at least, and what of the machine it is held against.
struct Kernel {
    enum Yardstick: String {
        /// OpenBLAS's sgemm of large matrices, in operations.
        case sgemm
        /// A copy of as many bytes, read and written ones counted.
        case copy
    }

    let name: String
    /// Floating-point operations of a call; where the arithmetic is not that of products, about: a root, a division, an exponential is one.
    let operations: Double
    /// Operands and results, each once.
    let bytes: Double
    let yardstick: Yardstick
    /// Makes the data, and what a call is. Kept apart so that data exists only while its kernel is measured.
    let prepare: () -> () -> Void
}

/// The kernels at some sizes, in the order in which they are measured.
struct Catalogue {
    let sizes: Sizes

    var all: [Kernel] {
        products + ridge + norms + rotary + activations + attention + vocabulary + hypernetwork + optimizer + widening + planes
    }
}
