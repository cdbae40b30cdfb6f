import TensorCore

extension JSONValue {
    /// Canonical JSON: equal values give equal text. No spaces, keys in the order of their UTF-8, integers in decimal,
    /// doubles in the shortest form that reads back to the same bits. Throws for NaN and infinity, which JSON lacks.
    package func canonicalText() throws -> String {
        guard hasFiniteNumbers else { throw BadInput("document", "holds a number that cannot be written as JSON") }
        var writer = JSONWriter(style: .canonical)
        writer.write(self)
        return writer.text
    }

    /// The same values, one line per object or array of scalars: for people and line-wise tools. Throws for NaN and infinity.
    package func prettyText() throws -> String {
        guard hasFiniteNumbers else { throw BadInput("document", "holds a number that cannot be written as JSON") }
        var writer = JSONWriter(style: .pretty)
        writer.write(self)
        return writer.text + "\n"
    }

    /// One line of JSON, without a line feed. NaN and the infinities are written as null.
    /// - Parameter sortedKeys: Objects in the order of their keys' Unicode scalars; else in the order given.
    package func text(sortedKeys: Bool = false) -> String {
        var writer = JSONWriter(style: .line(sortedKeys: sortedKeys))
        writer.write(self)
        return writer.text
    }

    private var hasFiniteNumbers: Bool {
        switch self {
        case .number(let value): value.isFinite
        case .digits: double != nil
        case .array(let values): values.allSatisfy(\.hasFiniteNumbers)
        case .object(let object): object.members.allSatisfy(\.value.hasFiniteNumbers)
        default: true
        }
    }

    fileprivate var isScalar: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }
}

private struct JSONWriter {
    enum Style { case canonical, pretty, line(sortedKeys: Bool) }

    let style: Style
    var text = ""
    private var depth = 0

    init(style: Style) { self.style = style }

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += "\(value)"
        case .number, .digits: text += value.double.flatMap { $0.isFinite ? "\($0)" : nil } ?? "null"
        case .string(let value): write(quoting: value)
        case .array(let values):
            write(values, between: ("[", "]"), spread: !values.allSatisfy(\.isScalar)) { $0.write($1) }
        case .object(let object):
            write(inOrder(object), between: ("{", "}"), spread: !object.members.allSatisfy(\.value.isScalar)) { writer, member in
                writer.write(quoting: member.key)
                if case .canonical = writer.style { writer.text += ":" } else { writer.text += ": " }
                writer.write(member.value)
            }
        }
    }

    private func inOrder(_ object: JSONObject) -> [JSONObject.Member] {
        if case .line(sortedKeys: false) = style { object.members } else { object.sortedByKey }
    }

    /// Elements or members; in pretty text on lines of their own if `spread`.
    private mutating func write<Item>(
        _ items: [Item], between brackets: (String, String), spread: Bool, item: (inout JSONWriter, Item) -> Void
    ) {
        let breaks = if case .pretty = style { spread } else { false }
        let separator = if case .canonical = style { "," } else { breaks ? "," : ", " }
        text += brackets.0
        depth += 1
        for (index, value) in items.enumerated() {
            if index > 0 { text += separator }
            if breaks { text += "\n" + String(repeating: " ", count: 2 * depth) }
            item(&self, value)
        }
        depth -= 1
        if breaks { text += "\n" + String(repeating: " ", count: 2 * depth) }
        text += brackets.1
    }

    private mutating func write(quoting string: String) {
        text += "\""
        if string.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            text += string
        } else {
            for scalar in string.unicodeScalars { write(escaping: scalar) }
        }
        text += "\""
    }

    private mutating func write(escaping scalar: Unicode.Scalar) {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "\u{0}"..<" ":
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }
}
