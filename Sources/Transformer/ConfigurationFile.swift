import Foundation
import TensorCore
import WeightFiles

/// A Hugging Face config.json: typed look-ups that say what was expected and what was found.
struct ConfigurationFile {
    let path: String
    private let values: [String: Any]

    init(path: String) throws {
        self.path = path
        let file = try MappedFile.open(path)
        guard file.bytes.count < 16 << 20 else { throw BadInput(path, "is \(file.bytes.count) bytes long; a model configuration is a few kilobytes") }
        try file.checkJSONObject("JSON text")  // of a key that comes twice, JSONSerialization would take one
        guard let object = try? JSONSerialization.jsonObject(with: Data(file.bytes)) as? [String: Any] else {
            throw BadInput(path, "expected a JSON object")
        }
        values = object
    }

    private init(path: String, values: [String: Any]) {
        self.path = path
        self.values = values
    }

    func required<Value>(_ key: String) throws -> Value {
        guard let value: Value = try optional(key) else { throw BadInput(path, "'\(key)' is missing") }
        return value
    }

    /// The value at `key`, or nil where it is absent or null.
    func optional<Value>(_ key: String) throws -> Value? {
        guard let found = values[key], !(found is NSNull) else { return nil }
        if let value = Self.convert(found, to: Value.self) { return value }
        throw BadInput(path, "'\(key)' is \(Self.description(found)); expected a value of type \(Self.name(Value.self))")
    }

    func section(_ key: String) throws -> ConfigurationFile? {
        guard let found = values[key], !(found is NSNull) else { return nil }
        guard let object = found as? [String: Any] else { throw BadInput(path, "'\(key)' should be a JSON object") }
        return ConfigurationFile(path: path, values: object)
    }

    /// The number of layers at `key`: checked here, for lists are made of it.
    func layerCount(_ key: String) throws -> Int {
        let count: Int = try required(key)
        guard (1...4096).contains(count) else { throw BadInput(path, "\(key) is \(count); expected 1 to 4096") }
        return count
    }

    /// One value for each of the layers that `key` counts.
    func layers<Value>(_ key: String, _ value: (Int) -> Value) throws -> [Value] { (0..<(try layerCount(key))).map(value) }

    /// For each of the model's layers whether it sees a sliding window of tokens, by the list layer_types; nil where there is none.
    func slidingLayers(of count: Int) throws -> [Bool]? {
        guard let kinds: [String] = try optional("layer_types") else { return nil }
        guard kinds.count == count else { throw BadInput(path, "'layer_types' names \(kinds.count) layers; expected one for each of \(count)") }
        return try kinds.map { kind in
            switch kind {
            case "sliding_attention": return true
            case "full_attention": return false
            default: throw BadInput(path, "'layer_types' names \(quoted(kind)); supported: full_attention, sliding_attention")
            }
        }
    }

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
        case is [Any]: "a list"
        case is [String: Any]: "an object"
        case let number as NSNumber where isBoolean(number): number.boolValue ? "true" : "false"
        default: "\(found)"
        }
    }

    private static func name<Value>(_ type: Value.Type) -> String {
        switch type {
        case is Int.Type: "whole number"
        case is Float.Type: "number"
        case is Bool.Type: "true or false"
        case is [String].Type: "list of strings"
        default: "string"
        }
    }
}
