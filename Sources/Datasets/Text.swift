import Documents

// Text is compared and cut by scalars and bytes, never by `Character`: there " " followed by a combining mark is no space,
// and two spellings of é are the same key.

func isBlank(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy(\.properties.isWhitespace)
}

/// Without the white space around it.
func trimmed(_ text: String) -> String {
    let scalars = text.unicodeScalars.drop(while: \.properties.isWhitespace)
    guard let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return String(String.UnicodeScalarView(scalars[...last]))
}

/// Without the spaces at its end; other white space stays.
func droppingFinalSpaces(_ text: String) -> String {
    let end = text.utf8.lastIndex { $0 != UInt8(ascii: " ") }
    return end.map { String(decoding: text.utf8[...$0], as: UTF8.self) } ?? ""
}

/// The start of the text, for messages.
func excerpt(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let start = String(String.UnicodeScalarView(scalars.prefix(40)))
    return oneLine(start) + (scalars.dropFirst(40).isEmpty ? "" : "…")
}

/// "1 record", "2 records".
package func counted(_ count: Int, _ thing: String) -> String {
    "\(count) \(thing)\(count == 1 ? "" : "s")"
}
