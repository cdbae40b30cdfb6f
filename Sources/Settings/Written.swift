/// A value of the configuration before it has a type, with where it was written.
package struct Written: Sendable {
    enum Value: Sendable {
        /// `isQuoted`: written in quotes or as a block of text, so that it is text even if it looks like a number.
        case scalar(String, isQuoted: Bool)
        case list([Written])
        case section([Entry])
    }

    struct Entry: Sendable {
        let key: String
        let location: Location
        var value: Written
    }

    let value: Value
    let location: Location

    /// Nothing after the colon.
    var isEmpty: Bool {
        if case .scalar("", isQuoted: false) = value { return true }
        return false
    }

    /// `null` or `~`: the key counts as not given.
    var isNull: Bool {
        guard case .scalar(let text, isQuoted: false) = value else { return false }
        return ["null", "Null", "NULL", "~"].contains(text)
    }

    /// How an error message names this value after "found".
    var found: String {
        switch value {
        case .scalar("", isQuoted: false): return "nothing"
        case .scalar(let text, isQuoted: true): return "the text \"\(abbreviated(text))\""
        case .scalar(let text, isQuoted: false): return "'\(abbreviated(text))'"
        case .list: return "a list"
        case .section: return "a section with keys of its own"
        }
    }

    func error(at keyPath: String, expected: String, hint: String = "") -> ConfigurationError {
        ConfigurationError(
            location: location.text, keyPath: keyPath, problem: "expected \(expected), found \(found)\(hint)")
    }
}
