/// The most work that a component, or a chain of them, can make of a text. A tokenizer.json whose chain could fill memory
/// is refused.
struct ComponentCost {
    var steps = 1
    /// Bytes that may come out for each that goes in.
    var growth = 1.0

    private static let mostSteps = 256
    private static let largestGrowth = 4096.0  // published chains stay below 200

    static func chain(_ costs: [ComponentCost]) -> ComponentCost {
        ComponentCost(steps: costs.reduce(0) { $0 + $1.steps }, growth: costs.reduce(1) { $0 * $1.growth })
    }

    /// Of replacing matches: an expression may match at every character, and before the first.
    static func replacing(_ pattern: TextPattern, with replacement: ExactString) -> ComponentCost {
        let matchBytes = pattern.literalBytes
        return ComponentCost(growth: matchBytes.map { max(1, Double(replacement.utf8.count) / Double($0)) } ?? Double(1 + 2 * replacement.utf8.count))
    }

    var problem: String? {
        if steps > Self.mostSteps { return "has \(steps) steps; expected at most \(Self.mostSteps)" }
        if growth > Self.largestGrowth { return "can make a text \(growth) times as long; expected at most \(Self.largestGrowth)" }
        return nil
    }
}

extension Normalizer {
    var cost: ComponentCost {
        switch self {
        case .sequence(let normalizers): .chain(normalizers.map(\.cost))
        case .nfc, .nfd: ComponentCost(growth: 3)
        case .nfkc, .nfkd: ComponentCost(growth: 11)
        case .lowercase: ComponentCost(growth: 1.5)
        case .strip: ComponentCost()
        case .prepend(let prefix): ComponentCost(growth: 1 + Double(prefix.utf8.count))
        case .replace(let pattern, let replacement): .replacing(pattern, with: replacement)
        }
    }
}

extension PreTokenizer {
    var cost: ComponentCost {
        switch self {
        case .sequence(let steps): .chain(steps.map(\.cost))
        case .split, .digits, .punctuation, .whitespaceSplit: ComponentCost()
        case .byteLevel(_, let addsPrefixSpace): ComponentCost(growth: addsPrefixSpace ? 4 : 2)
        case .metaspace(let metaspace): ComponentCost(growth: 1 + Double(metaspace.replacement.utf8.count))
        }
    }
}

extension TokenDecoder {
    var cost: ComponentCost {
        switch self {
        case .sequence(let decoders): .chain(decoders.map(\.cost))
        case .byteLevel, .byteFallback: ComponentCost(growth: 3)
        case .fuse, .strip, .metaspace: ComponentCost()
        case .replace(let pattern, let replacement): .replacing(pattern, with: replacement)
        }
    }
}
