// Text is compared and cut by scalars and bytes, never by `Character`: there " " followed by a combining mark is no space,
// and two spellings of é are the same key.

func isBlank(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy(\.properties.isWhitespace)
}

func droppingLeadingSpace(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.drop(while: \.properties.isWhitespace)))
}

/// The text with every "{}" replaced, or nil if there is none. A "{}" in the replacement stays.
func filling(_ template: String, with replacement: String) -> String? {
    let bytes = Array(template.utf8)
    var filled: [UInt8] = []
    var found = false
    var index = 0
    while index < bytes.count {
        if bytes[index] == UInt8(ascii: "{"), index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "}") {
            filled += replacement.utf8
            found = true
            index += 2
        } else {
            filled.append(bytes[index])
            index += 1
        }
    }
    return found ? String(decoding: filled, as: UTF8.self) : nil
}

/// The text with control characters and line separators shown as "�", for messages of one line.
func oneLine(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
        default: scalar
        }
    }))
}

/// The start of the text, for messages.
func excerpt(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let start = String(String.UnicodeScalarView(scalars.prefix(40)))
    return oneLine(start) + (scalars.dropFirst(40).isEmpty ? "" : "…")
}
