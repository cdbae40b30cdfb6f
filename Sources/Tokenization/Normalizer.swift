import Documents
import Foundation

/// Rewrites text before it is cut into words. Named as in tokenizer.json.
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    case nfc, nfd, nfkc, nfkd
    case lowercase
    case strip(left: Bool, right: Bool)
    case prepend(ExactString)
    case replace(TextPattern, with: ExactString)

    init(_ node: JSONNode) throws {
        let type = try node.componentType()
        switch type.name {
        case "Sequence": self = .sequence(try node.required("normalizers").elements().map(Normalizer.init))
        case "NFC": self = .nfc
        case "NFD": self = .nfd
        case "NFKC": self = .nfkc
        case "NFKD": self = .nfkd
        case "Lowercase": self = .lowercase
        case "Strip":
            self = .strip(
                left: try node.boolean("strip_left", default: true), right: try node.boolean("strip_right", default: true))
        case "Prepend": self = .prepend(try node.required("prepend").tokenText())
        case "Replace":
            self = .replace(try TextPattern(node.required("pattern")), with: try node.required("content").exactString())
        case let other: throw type.node.fail("unknown normalizer '\(other)'")
        }
    }

    /// - Parameter marksStart: false where the text starts with a space of its own: nothing is then prepended to a text
    ///   that still does.
    func apply(_ text: ExactString, marksStart: Bool) -> ExactString {
        switch self {
        case .sequence(let normalizers): normalizers.reduce(text) { $1.apply($0, marksStart: marksStart) }
        case .nfc: NormalForm.composed(NormalForm.decomposed(text))
        case .nfd: NormalForm.decomposed(text)
        case .nfkc: NormalForm.composed(NormalForm.compatibilityDecomposed(text))
        case .nfkd: NormalForm.compatibilityDecomposed(text)
        case .lowercase: ExactString(text.scalars.map(\.properties.lowercaseMapping).joined())
        case .strip(let left, let right): Self.strip(text, left: left, right: right)
        case .prepend(let prefix): text.isEmpty || (!marksStart && Self.startsWord(text)) ? text : prefix + text
        case .replace(let pattern, let replacement): pattern.replacingMatches(in: text, with: replacement)
        }
    }

    private static func startsWord(_ text: ExactString) -> Bool {
        text.hasPrefix(ExactString(" ")) || text.hasPrefix(wordStartMarker)
    }

    private static func strip(_ text: ExactString, left: Bool, right: Bool) -> ExactString {
        var scalars = Substring(text.string).unicodeScalars
        if left { scalars = scalars.drop(while: \.properties.isWhitespace) }
        while right, scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
        return ExactString(String(scalars))
    }
}
