import Documents

/// Puts special tokens around the ids of a text: tokenizer.json's TemplateProcessing for a single text.
struct Template: Sendable {
    let before: [Int32]
    let after: [Int32]

    init(before: [Int32], after: [Int32]) {
        self.before = before
        self.after = after
    }

    func apply(_ ids: [Int32]) -> [Int32] {
        before + ids + after
    }

    private static let mostIDs = 1024

    /// The templates of a post-processor, in the order in which they apply. ByteLevel changes no ids.
    static func list(_ node: JSONNode) throws -> [Template] {
        let templates = try all(node)
        let count = templates.reduce(templates.count) { $0 + $1.before.count + $1.after.count }
        guard count <= mostIDs else { throw node.fail("adds \(count) ids; expected at most \(mostIDs)") }
        return templates
    }

    private static func all(_ node: JSONNode) throws -> [Template] {
        let type = try node.componentType()
        switch type.name {
        case "Sequence": return try node.required("processors").elements().flatMap(all)
        case "TemplateProcessing": return [try Template(node)]
        case "ByteLevel": return []
        case let other: throw type.node.fail("unknown post-processor '\(other)'")
        }
    }

    private init(_ node: JSONNode) throws {
        var before: [Int32]?
        var ids: [Int32] = []
        let single = try node.required("single")
        let items = try single.elements()
        guard items.count <= Self.mostIDs else { throw single.fail("has \(items.count) items; expected at most \(Self.mostIDs)") }
        for item in items {
            if let special = try item.optional("SpecialToken") {
                ids += try Self.ids(of: special.required("id"), in: node)
                guard ids.count <= Self.mostIDs else { throw item.fail("more than \(Self.mostIDs) ids") }
            } else if let sequence = try item.optional("Sequence") {
                let name = try sequence.required("id")
                guard try name.string() == "A", before == nil else { throw name.fail("expected one sequence, 'A'") }
                before = ids
                ids = []
            } else {
                throw item.fail("expected a 'SpecialToken' or a 'Sequence'")
            }
        }
        guard let before else { throw try node.required("single").fail("has no sequence 'A'") }
        self.init(before: before, after: ids)
    }

    private static func ids(of name: JSONNode, in node: JSONNode) throws -> [Int32] {
        let tokens = try node.required("special_tokens")
        guard try tokens.members().count <= mostIDs else { throw tokens.fail("more than \(mostIDs) tokens") }
        guard let token = try tokens.optional(try name.string()) else {
            throw name.fail("'\(try name.string())' is not among the template's special_tokens")
        }
        return try token.required("ids").elements().map { try $0.index() }
    }
}
