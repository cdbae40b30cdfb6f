import Foundation

/// Quantities as people read them. For machines there are the JSON lines.
package enum Quantity {
    /// "999 B", "1.4 GB", "23 MB": powers of 1000, two digits below 10 and whole numbers from there on. Negative
    /// counts have a minus sign.
    package static func bytes(_ count: Int) -> String {
        let sign = count < 0 ? "-" : ""
        guard count.magnitude >= 1000 else { return "\(sign)\(count.magnitude) B" }
        var value = Double(count.magnitude) / 1000
        var unit = 0
        while value >= 999.5, unit + 1 < byteUnits.count {
            value /= 1000
            unit += 1
        }
        // 9.95 would be printed as 9.9 or 10.0, by its rounding to binary
        return sign + String(format: value < 9.95 ? "%.1f" : "%.0f", value) + " " + byteUnits[unit]
    }

    private static let byteUnits = ["kB", "MB", "GB", "TB", "PB", "EB"]

    /// "0.42 s", "12.3 s", "3 min 12 s", "2 h 5 min", "3 d 4 h"; "?" for what is negative, not finite, or longer than
    /// a thousand years.
    package static func duration(seconds: Double) -> String {
        guard seconds >= 0, seconds < 3.2e10 else { return "?" }
        if seconds < 0.995 { return String(format: "%.2f s", seconds) }
        if seconds < 59.95 { return String(format: "%.1f s", seconds) }
        let whole = Int(seconds.rounded())
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        let minutes = Int((seconds / 60).rounded())
        if minutes < 24 * 60 { return "\(minutes / 60) h \(minutes % 60) min" }
        let hours = Int((seconds / 3600).rounded())
        return "\(hours / 24) d \(hours % 24) h"
    }

    /// "12.3 edits/s", "0.0417 edits/s": three significant digits; "? edits/s" for what is negative or not finite.
    package static func rate(_ perSecond: Double, of unit: String) -> String {
        guard perSecond >= 0, perSecond.isFinite else { return "? \(unit)/s" }
        return "\(significant(perSecond, digits: 3)) \(unit)/s"
    }

    /// A number with so many significant digits, from 1 to 17, without trailing zeros. From 1e-4 to 1e6 it has no
    /// exponent, for which it may have more digits before the point: 1234.5 with 3 digits is "1234". "nan" and "inf" are
    /// written so.
    package static func significant(_ value: Double, digits: Int) -> String {
        precondition((1...17).contains(digits), "digits \(digits), expected 1 to 17")
        let isWhole = value.magnitude >= pow(10, Double(digits - 1)) && value.magnitude < 1e6
        return isWhole ? String(format: "%.0f", value) : String(format: "%.*g", digits, value)
    }

    /// A share of 1 as percent with one decimal, "87.5"; "-" for NaN, which stands for a score of nothing.
    package static func percent(_ share: Double) -> String {
        share.isNaN ? "-" : String(format: "%.1f", share * 100)
    }
}
