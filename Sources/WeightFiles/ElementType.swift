import CKernels

/// How the elements of a stored tensor are encoded. The quantised types keep `blockElements` consecutive elements of a
/// row in `blockBytes` bytes; the others are blocks of one element.
package enum ElementType: Sendable, Hashable, CaseIterable {
    case f64, f32, f16, bf16
    case i8, i16, i32, i64, u8, u16, u32, u64, bool
    case f8_e4m3, f8_e5m2
    case q4_0, q4_1, q5_0, q5_1, q8_0, iq4_nl
    case q2_K, q3_K, q4_K, q5_K, q6_K, iq4_xs

    /// The name ggml and safetensors use: `F32`, `BOOL`, `Q4_K`.
    package var name: String { "\(self)".uppercased() }

    /// Elements in a block; a row of a tensor is a whole number of blocks.
    package var blockElements: Int {
        switch self {
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl: 32
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_xs: 256
        default: 1
        }
    }

    package var blockBytes: Int {
        switch self {
        case .i8, .u8, .bool, .f8_e4m3, .f8_e5m2: 1
        case .f16, .bf16, .i16, .u16: 2
        case .f32, .i32, .u32: 4
        case .f64, .i64, .u64: 8
        case .q4_0, .iq4_nl: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        case .q2_K: 84
        case .q3_K: 110
        case .iq4_xs: 136
        case .q4_K: 144
        case .q5_K: 176
        case .q6_K: 210
        }
    }

    /// Whether `StoredTensor` can decode this type to float32.
    package var isDecodable: Bool { decoder != nil }

    /// Decodes `count` blocks from any address.
    typealias Decoder = @convention(c) (_ blocks: UnsafeRawPointer?, _ count: Int, _ out: UnsafeMutablePointer<Float>?) -> Void

    var decoder: Decoder? {
        switch self {
        case .f64: amend_decode_f64
        case .f32: amend_decode_f32
        case .f16: amend_decode_f16
        case .bf16: amend_decode_bf16
        case .q4_0: amend_decode_q4_0
        case .q4_1: amend_decode_q4_1
        case .q5_0: amend_decode_q5_0
        case .q5_1: amend_decode_q5_1
        case .q8_0: amend_decode_q8_0
        case .iq4_nl: amend_decode_iq4_nl
        case .q2_K: amend_decode_q2_k
        case .q3_K: amend_decode_q3_k
        case .q4_K: amend_decode_q4_k
        case .q5_K: amend_decode_q5_k
        case .q6_K: amend_decode_q6_k
        case .iq4_xs: amend_decode_iq4_xs
        case .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool, .f8_e4m3, .f8_e5m2: nil
        }
    }
}

// MARK: names and codes in files

extension ElementType {
    /// The type for a GGUF tensor's type code; nil for a code that is not read here.
    package init?(ggml code: UInt32) {
        guard let type = Self.byCode[code] else { return nil }
        self = type
    }

    /// The type for a safetensors `dtype`; nil for one that is not read here.
    package init?(safetensors dtype: String) {
        guard let type = Self.byDtype[dtype] else { return nil }
        self = type
    }

    private static let byCode: [UInt32: ElementType] = [
        0: .f32, 1: .f16, 2: .q4_0, 3: .q4_1, 6: .q5_0, 7: .q5_1, 8: .q8_0,
        10: .q2_K, 11: .q3_K, 12: .q4_K, 13: .q5_K, 14: .q6_K, 20: .iq4_nl, 23: .iq4_xs,
        24: .i8, 25: .i16, 26: .i32, 27: .i64, 28: .f64, 30: .bf16,
    ]

    private static let byDtype: [String: ElementType] = Dictionary(
        uniqueKeysWithValues: [
            f64, f32, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, bool, f8_e4m3, f8_e5m2,
        ].map { ($0.name, $0) })

    /// "F32, F16, …": what a GGUF file may hold.
    static var ggmlNames: String { byCode.sorted { $0.key < $1.key }.map(\.value.name).joined(separator: ", ") }

    /// "BF16, BOOL, …": what a safetensors file may hold.
    static var safetensorsNames: String { byDtype.keys.sorted().joined(separator: ", ") }

    /// "F64, F32, …": what can be decoded to float32.
    static var decodableNames: String { allCases.filter(\.isDecodable).map(\.name).joined(separator: ", ") }
}
