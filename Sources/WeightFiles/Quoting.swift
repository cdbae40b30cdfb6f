/// A name from a file, fit for a one-line message: in single quotes, control characters escaped, long ones cut.
public func quoted(_ name: String) -> String {
    let longest = 100
    var text = "'"
    for (index, scalar) in name.unicodeScalars.enumerated() {
        if index == longest { return text + "…'" }
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: text += scalar.escaped(asASCII: true)
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text + "'"
}
