import TensorCore

extension DocumentValue {
    /// Canonical JSON: equal values give equal text. No spaces, keys in the order of their UTF-8, integers in decimal,
    /// doubles in the shortest form that reads back to the same bits. Throws for NaN and infinity, which JSON lacks.
    public func text() throws -> String {
        var out = ""
        try write(to: &out, indent: nil)
        return out
    }

    /// The same values, one line per object or array of scalars: for people and line-wise tools.
    public func prettyText() throws -> String {
        var out = ""
        try write(to: &out, indent: 0)
        return out + "\n"
    }

    /// `indent`: nil for canonical text, otherwise the nesting depth.
    private func write(to out: inout String, indent: Int?) throws {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .integer(let value): out += "\(value)"
        case .double(let value):
            guard value.isFinite else { throw BadInput("document", "\(value) cannot be written as JSON") }
            out += "\(value)"
        case .string(let value): Self.write(value, to: &out)
        case .array(let values):
            try Self.write(values, between: ("[", "]"), spread: !values.allSatisfy(\.isScalar), to: &out, indent: indent) {
                try $0.write(to: &$1, indent: $2)
            }
        case .object(let members):
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            let spread = !sorted.allSatisfy(\.value.isScalar)
            try Self.write(sorted, between: ("{", "}"), spread: spread, to: &out, indent: indent) {
                Self.write($0.key, to: &$1)
                $1 += $2 == nil ? ":" : ": "
                try $0.value.write(to: &$1, indent: $2)
            }
        }
    }

    private var isScalar: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }

    /// The members of an array or object; on lines of their own if `spread` and not canonical.
    private static func write<Member>(
        _ members: [Member], between brackets: (String, String), spread: Bool, to out: inout String, indent: Int?,
        member: (Member, inout String, Int?) throws -> Void
    ) throws {
        out += brackets.0
        let separator = indent == nil || spread ? "," : ", "
        for (i, value) in members.enumerated() {
            if i > 0 { out += separator }
            if let indent, spread { out += "\n" + String(repeating: " ", count: 2 * indent + 2) }
            try member(value, &out, indent.map { $0 + 1 })
        }
        if let indent, spread { out += "\n" + String(repeating: " ", count: 2 * indent) }
        out += brackets.1
    }

    private static func write(_ string: String, to out: inout String) {
        if string.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            out += "\"\(string)\""
            return
        }
        out += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
