import Foundation
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
    private let values: [String: Any]
    private let ledger: KeyLedger

    init(path: String) throws {
        let file = try MappedFile.open(path)
        guard file.bytes.count < 16 << 20 else { throw BadInput(path, "is \(file.bytes.count) bytes long; a model configuration is a few kilobytes") }
        try file.checkJSONObject("JSON text")  // of a key that comes twice, JSONSerialization would take one
        guard let object = try? JSONSerialization.jsonObject(with: Data(file.bytes)) as? [String: Any] else {
            throw BadInput(path, "expected a JSON object")
        }
        self.init(path: path, prefix: "", values: object, ledger: KeyLedger())
    }

    private init(path: String, prefix: String, values: [String: Any], ledger: KeyLedger) {
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
        if found is NSNull { return nil }
        guard let value = Self.convert(found, to: Value.self) else {
            throw BadInput(path, "'\(name(key))' is \(Self.description(found)); expected a value of type \(Self.typeName(Value.self))")
        }
        if let number = value as? Int { ledger.note(name(key), "\(number)", isDefault: false) }
        return value
    }

    /// The object at `key`; nil where it is left out or null.
    func section(_ key: String) throws -> ConfigurationFile? {
        ledger.look(name(key))
        guard let found = values[key], !(found is NSNull) else { return nil }
        guard let object = found as? [String: Any] else { throw BadInput(path, "'\(name(key))' should be a JSON object") }
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
        try leftovers.refuse(path, "has keys that are not supported",
                             "they may change what the model computes. A key known to change nothing can be removed from the file")
    }

    private func gather(_ leftovers: inout Leftovers, _ harmless: [HarmlessKeys]) {
        for (key, value) in values where !(value is NSNull) {
            guard ledger.hasLooked(at: name(key)) else {
                leftovers.add(name(key), value: Self.description(value), unless: harmless)
                continue
            }
            guard let object = value as? [String: Any] else { continue }
            ConfigurationFile(path: path, prefix: name(key) + ".", values: object, ledger: ledger).gather(&leftovers, harmless)
        }
    }
}

// MARK: values

extension ConfigurationFile {
    private static func convert<Value>(_ found: Any, to type: Value.Type) -> Value? {
        if type == String.self || type == [String].self { return found as? Value }
        guard let number = found as? NSNumber, !(found is String) else { return nil }
        let isBool = isBoolean(number)
        if type == Bool.self { return isBool ? number.boolValue as? Value : nil }
        if isBool { return nil }
        if type == Int.self { return Int(exactly: number.doubleValue) as? Value }
        if type == Float.self { return Float(number.doubleValue) as? Value }
        return nil
    }

    /// Whether a number came from a JSON true or false.
    private static func isBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }

    /// A value that was found, for messages.
    private static func description(_ found: Any) -> String {
        switch found {
        case let text as String: quoted(text)
        case let list as [Any]: list.isEmpty ? "an empty list" : "a list"
        case let object as [String: Any]: object.isEmpty ? "an empty object" : "an object"
        case let number as NSNumber where isBoolean(number): number.boolValue ? "true" : "false"
        case let number as NSNumber where number.doubleValue == number.doubleValue.rounded() && abs(number.doubleValue) < 1e15: "\(number.int64Value)"
        default: "\(found)"
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
