import Foundation

/// Unicode's normal forms (Unicode Standard Annex 15), by Foundation, with what it gets wrong put right.
enum NormalForm {
    /// The scalars next to the ranges of Hangul syllable parts. None of them composes with anything, but Foundation
    /// takes them for parts.
    private static let besideHangul: Set<Unicode.Scalar> = ["\u{1113}", "\u{1176}", "\u{11A7}", "\u{11C3}"]

    static func decomposed(_ text: ExactString) -> ExactString {
        twice(text) { $0.decomposedStringWithCanonicalMapping }
    }

    static func compatibilityDecomposed(_ text: ExactString) -> ExactString {
        twice(text) { $0.decomposedStringWithCompatibilityMapping }
    }

    /// - Parameter text: decomposed.
    static func composed(_ text: ExactString) -> ExactString {
        guard !isASCII(text) else { return text }
        var result = ""
        var part = String.UnicodeScalarView()
        for scalar in text.scalars {
            if besideHangul.contains(scalar) {
                result += String(part).precomposedStringWithCanonicalMapping + String(scalar)
                part = String.UnicodeScalarView()
            } else {
                part.append(scalar)
            }
        }
        return ExactString(result + String(part).precomposedStringWithCanonicalMapping)
    }

    /// Foundation leaves marks out of order where one scalar becomes several marks (U+0F73, U+0F75, U+0F81); a second
    /// pass finds the marks themselves and orders them.
    private static func twice(_ text: ExactString, _ decompose: (String) -> String) -> ExactString {
        isASCII(text) ? text : ExactString(decompose(decompose(text.string)))
    }

    private static func isASCII(_ text: ExactString) -> Bool {
        text.utf8.allSatisfy { $0 < 0x80 }
    }
}
