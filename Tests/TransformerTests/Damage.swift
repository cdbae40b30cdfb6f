import TestSupport

/// Random damage to the bytes of a file.
extension RandomBits {
    static let extremes: [UInt64] = [
        0, 1, 2, 255, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 32, (1 << 32) - 1, 1 << 40, 1 << 61, 1 << 62, 1 << 63, (1 << 63) - 1,
        .max, .max - 7, .max - 31,
    ]

    /// Flipped bits, numbers as large as they get, and stretches that are lost, repeated or moved; within the first `limit` bytes.
    mutating func damage(_ bytes: inout [UInt8], within limit: Int = .max) {
        let limit = min(limit, bytes.count)
        guard limit > 0 else { return }
        let start = below(limit), stretch = start..<min(bytes.count, start + 1 + below(once(in: 4) ? 4000 : 12))
        switch below(8) {
        case 0: bytes[start] ^= 1 << UInt8(below(8))
        case 1: bytes[start] = UInt8(below(256))
        case 2: bytes.removeSubrange(stretch)
        case 3: bytes.insert(contentsOf: bytes[stretch], at: start)
        case 4: bytes.insert(contentsOf: bytes[stretch], at: below(limit))
        case 5: if once(in: 4) { bytes.removeSubrange(start...) }
        default:
            let number = once(in: 3) ? UInt64(below(limit)) : pick(Self.extremes)
            for (index, byte) in zip(start..<bytes.count, littleEndian(number).prefix(once(in: 2) ? 4 : 8)) { bytes[index] = byte }
        }
    }

    // MARK: JSON without white space

    /// One value becomes another, or that of another place; a number a neighbouring one; a member is lost, comes twice or changes places. Of
    /// the values, `values` are those to be put in.
    mutating func damageJSON(_ bytes: inout [UInt8], _ values: [String]) {
        if once(in: 6) { return damage(&bytes) }
        let spans = spansOfJSON(bytes)
        guard !spans.values.isEmpty, !spans.members.isEmpty else { return damage(&bytes) }
        let target = pick(spans.values)
        switch below(8) {
        case 0:
            let member = pick(spans.members), end = member.upperBound
            let isFollowed = end < bytes.count && bytes[end] == UInt8(ascii: ",")
            bytes.removeSubrange(member.lowerBound..<(isFollowed ? end + 1 : end))
        case 1:
            let member = Array(bytes[pick(spans.members)])
            bytes.insert(contentsOf: member + [UInt8(ascii: ",")], at: pick(spans.members).lowerBound)
        case 2: bytes.replaceSubrange(target, with: bytes[pick(spans.values)].prefix(4000))
        case 3:
            let one = pick(spans.values), other = pick(spans.values)
            let (first, second) = one.lowerBound < other.lowerBound ? (one, other) : (other, one)
            guard first.upperBound <= second.lowerBound else { return }
            let between = bytes[first.upperBound..<second.lowerBound]
            bytes = Array(bytes[..<first.lowerBound] + bytes[second] + between + bytes[first] + bytes[second.upperBound...])
        case 4, 5:
            let numbers = spans.values.compactMap { span in Int(String(decoding: bytes[span], as: UTF8.self)).map { (span, $0) } }
            guard !numbers.isEmpty else { return }
            let (span, number) = pick(numbers)
            let neighbour = pick([number &+ 1, number &- 1, number &* 2, number / 2, number &* 4, -number, number &+ 1 << 32])
            bytes.replaceSubrange(span, with: "\(neighbour)".utf8)
        default: bytes.replaceSubrange(target, with: pick(values).utf8)
        }
    }

    static let values = [
        "null", "true", "false", "0", "1", "-1", "2", "3", "7", "0.5", "1e308", "1e-308", "1e999", "-0", "1E3", "16777216", "2147483647",
        "2147483648", "4294967296",
        "9007199254740993", "4611686018427387904", "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "1000000000000000000000000", "01", "NaN",
        #""""#, #""a""#, #""a\nb""#, #""\u0000""#, #""\u2028""#, #""\ud800""#, "[]", "{}", "[[]]", "[0]", "[1,1]", "[-1]", #"["a"]"#,
        "\"" + String(repeating: "a", count: 5000) + "\"", String(repeating: "[", count: 70) + String(repeating: "]", count: 70),
        String(repeating: #"{"a":"#, count: 1000),
    ]
}

/// The byte ranges of the values in a JSON text without white space, and of the members of its objects, as far as it is one.
private func spansOfJSON(_ bytes: [UInt8]) -> (values: [Range<Int>], members: [Range<Int>]) {
    var values: [Range<Int>] = [], members: [Range<Int>] = []
    var open: [(start: Int, name: Int?)] = [], name: Int?, position = 0
    func end(_ value: Range<Int>) {
        values.append(value)
        if let name { members.append(name..<value.upperBound) }
        name = nil
    }
    while position < bytes.count {
        let start = position
        position += 1
        switch bytes[start] {
        case UInt8(ascii: "\""):
            while position < bytes.count, bytes[position] != UInt8(ascii: "\"") { position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1 }
            position = min(position + 1, bytes.count)
            if position < bytes.count, bytes[position] == UInt8(ascii: ":") { name = start } else { end(start..<position) }
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            open.append((start, name))
            name = nil
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            guard let opened = open.popLast() else { break }
            name = opened.name
            end(opened.start..<position)
        case UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: ":"), 0x0A, 0x0D: break
        default:
            while position < bytes.count, !" ,:[]{}\"\n".utf8.contains(bytes[position]) { position += 1 }
            end(start..<position)
        }
    }
    return (values, members)
}
