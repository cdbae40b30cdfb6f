import Documents
import TensorCore
import WeightFiles

/// A Hugging Face config.json, or an object in it: typed look-ups that say what was expected and what was found, and that register what they
/// read, so that `refuseUnread` can name what nothing did.
///
/// A key that is left out has the default of transformers' configuration class; one that is null has it nowhere, but means "none" where that
/// class knows none.
struct ConfigurationFile {
    let path: String
    private let prefix: String  // "text_config." for the keys of that object
    private let values: JSONObject
    private let ledger: KeyLedger

    init(path: String) throws {
        let file = try MappedFile.open(path)
        guard file.bytes.count < 16 << 20 else { throw BadInput(path, "is \(file.bytes.count) bytes long; a model configuration is a few kilobytes") }
        let values = try JSONNode(value: JSONValue(parsing: file.bytes, file: path), file: path).object()
        self.init(path: path, prefix: "", values: values, ledger: KeyLedger())
    }

    private init(path: String, prefix: String, values: JSONObject, ledger: KeyLedger) {
        (self.path, self.prefix, self.values, self.ledger) = (path, prefix, values, ledger)
    }

    var isEmpty: Bool { values.isEmpty }

    /// Whether the key is there, be it null.
    func has(_ key: String) -> Bool { values[key] != nil }

    /// The key as messages name it: with those of the objects that it is in.
    func name(_ key: String) -> String { prefix + key }

    /// The value, which must be there.
    func required<Value>(_ key: String) throws -> Value {
        guard let value: Value = try optional(key) else { throw BadInput(path, "'\(name(key))' is missing\(has(key) ? ": it is null" : "")") }
        return value
    }

    /// The value, or `absent` where the key is left out. Null is refused.
    func value<Value>(_ key: String, absent: Value) throws -> Value {
        guard has(key) else {
            if let number = absent as? Int { ledger.note(name(key), "\(number)", isDefault: true) }
            return absent
        }
        return try required(key)
    }

    /// The value, nil where the key is null, `absent` where it is left out.
    func optional<Value>(_ key: String, absent: Value? = nil) throws -> Value? {
        ledger.look(name(key))
        guard let found = values[key] else { return absent }
        if case .null = found { return nil }
        guard let value = Self.convert(found, to: Value.self) else {
            throw BadInput(path, "'\(name(key))' is \(Self.description(found)); expected a value of type \(Self.typeName(Value.self))")
        }
        if let number = value as? Int { ledger.note(name(key), "\(number)", isDefault: false) }
        return value
    }

    /// The object at `key`; nil where it is left out or null.
    func section(_ key: String) throws -> ConfigurationFile? {
        ledger.look(name(key))
        guard let found = values[key], found != .null else { return nil }
        guard let object = found.object else { throw BadInput(path, "'\(name(key))' should be a JSON object") }
        return ConfigurationFile(path: path, prefix: name(key) + ".", values: object, ledger: ledger)
    }

    /// An object without any keys: where a section is left out that has a default for each of them.
    func emptySection(_ key: String) -> ConfigurationFile { ConfigurationFile(path: path, prefix: name(key) + ".", values: [:], ledger: ledger) }

    /// Of `rope_scaling` over `rope_parameters`: nothing in this object counts.
    func ignoreAll() { for key in values.keys { ledger.look(name(key)) } }

    /// The number of layers at `key`: checked here, for lists are made of it.
    func layerCount(_ key: String, absent: Int) throws -> Int {
        let count: Int = try value(key, absent: absent)
        guard (1...4096).contains(count) else { throw BadInput(path, "\(name(key)) is \(count); expected 1 to 4096") }
        return count
    }

    /// For each of the model's layers whether it sees a sliding window of tokens, by the list layer_types; nil where there is none.
    func slidingLayers(of count: Int) throws -> [Bool]? {
        guard let kinds: [String] = try optional("layer_types") else { return nil }
        guard kinds.count == count else {
            throw BadInput(path, "'\(name("layer_types"))' names \(kinds.count) layers; expected one for each of \(count)")
        }
        return try kinds.map { kind in
            switch kind {
            case "sliding_attention": return true
            case "full_attention": return false
            default: throw BadInput(path, "'\(name("layer_types"))' names \(quoted(kind)); supported: full_attention, sliding_attention")
            }
        }
    }

    /// "hidden_size 32, …": the sizes that were read, for messages.
    var sizes: String { ledger.sizes }
}

// MARK: what nothing read

extension ConfigurationFile {
    /// Refuses a file that says it is something else than this causal language model.
    func checkArchitecture(_ names: String...) throws {
        for found: String in try optional("architectures") as [String]? ?? [] where !names.contains(found) {
            throw BadInput(path, "'\(name("architectures"))' names \(quoted(found)); supported with this model_type: \(names.joined(separator: ", "))")
        }
    }

    /// Throws `BadInput` unless every key was read, is null, or is harmless.
    func refuseUnread(_ harmless: [HarmlessKeys]) throws {
        var leftovers = Leftovers()
        gather(&leftovers, harmless + HarmlessKeys.ofEveryConfiguration)
        try leftovers.refuse(
            path, "has keys that are not supported",
            "they may change what the model computes. A key known to change nothing can be removed from the file")
    }

    private func gather(_ leftovers: inout Leftovers, _ harmless: [HarmlessKeys]) {
        for member in values.members where member.value != .null {
            let (key, value) = (member.key, member.value)
            guard ledger.hasLooked(at: name(key)) else {
                leftovers.add(name(key), value: Self.description(value), unless: harmless)
                continue
            }
            guard let object = value.object else { continue }
            ConfigurationFile(path: path, prefix: name(key) + ".", values: object, ledger: ledger).gather(&leftovers, harmless)
        }
    }
}

// MARK: values

extension ConfigurationFile {
    private static func convert<Value>(_ found: JSONValue, to type: Value.Type) -> Value? {
        switch type {
        case is String.Type: found.string as? Value
        case is [String].Type: found.array?.strings as? Value
        case is Bool.Type: found.bool as? Value
        case is Int.Type: (found.integer ?? found.double.flatMap { Int(exactly: $0) }) as? Value
        case is Float.Type: found.double.map { Float($0) } as? Value
        default: nil
        }
    }

    /// A value that was found, for messages.
    private static func description(_ found: JSONValue) -> String {
        switch found {
        case .string(let text): quoted(text)
        case .array(let list): list.isEmpty ? "an empty list" : "a list"
        case .object(let object): object.isEmpty ? "an empty object" : "an object"
        case .number(let number) where number == number.rounded() && abs(number) < 1e15: "\(Int(number))"
        case .digits(let text): text
        default: found.text()
        }
    }

    private static func typeName<Value>(_ type: Value.Type) -> String {
        switch type {
        case is Int.Type: "whole number"
        case is Float.Type: "number"
        case is Bool.Type: "true or false"
        case is [String].Type: "list of strings"
        default: "string"
        }
    }
}

extension [JSONValue] {
    /// nil unless all are.
    fileprivate var strings: [String]? {
        let strings = compactMap(\.string)
        return strings.count == count ? strings : nil
    }
}
