import Documents

/// A metadata value of a GGUF file. Integers of all widths are `Int`, floats of both widths `Double` (exact).
package enum GGUFValue: Sendable, Equatable {
    case integer(Int)
    /// An integer above `Int.max`.
    case unsigned(UInt64)
    case float(Double)
    case bool(Bool)
    case string(String)
    case integers([Int])
    case floats([Double])
    case bools([Bool])
    case strings([String])
    /// An array of arrays, or of 64-bit integers of which one is above `Int.max`.
    case array([GGUFValue])

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .integer, .unsigned: "an integer"
        case .float: "a float"
        case .bool: "a bool"
        case .string: "a string"
        case .integers: "an array of integers"
        case .floats: "an array of floats"
        case .bools: "an array of bools"
        case .strings: "an array of strings"
        case .array: "an array of arrays or of integers above \(Int.max)"
        }
    }

    /// The value itself where it is short, else what it is: for messages.
    package var text: String {
        switch self {
        case .integer(let value): "\(value)"
        case .unsigned(let value): "\(value)"
        case .float(let value): value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
        case .bool(let value): "\(value)"
        case .string(let value): quoted(value)
        default: kind
        }
    }
}
