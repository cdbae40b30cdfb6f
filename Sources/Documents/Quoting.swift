/// A text from a file, fit for a one-line message: in single quotes, control characters and line ends escaped, long ones cut after `longest` scalars.
package func quoted(_ text: String, atMost longest: Int = 100) -> String {
    let scalars = text.unicodeScalars
    return "'" + oneLine(String(String.UnicodeScalarView(scalars.prefix(longest)))) + (scalars.dropFirst(longest).isEmpty ? "'" : "…'")
}

/// With control characters and line ends escaped, and of more than `longest` scalars the middle left out.
package func oneLine(_ text: String, atMost longest: Int = .max) -> String {
    var shown = Array(text.unicodeScalars)
    if shown.count > longest { shown = shown.prefix(longest / 2) + "…".unicodeScalars + shown.suffix(longest / 2) }
    var line = ""
    for scalar in shown {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: line += scalar.escaped(asASCII: true)
        default: line.unicodeScalars.append(scalar)
        }
    }
    return line
}
