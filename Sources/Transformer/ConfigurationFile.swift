import Foundation
import TensorCore

/// A Hugging Face config.json: typed look-ups that say what was expected and what was found.
struct ConfigurationFile {
    let path: String
    private let values: [String: Any]

    init(path: String) throws {
        self.path = path
        guard let data = FileManager.default.contents(atPath: path) else { throw BadInput(path, "cannot be read") }
        guard data.count < 16 << 20 else { throw BadInput(path, "is \(data.count) bytes long; a model configuration is a few kilobytes") }
        do {
            guard let object = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
                throw BadInput(path, "expected a JSON object")
            }
            values = object
        } catch let error as BadInput {
            throw error
        } catch {
            throw BadInput(path, "is not valid JSON")
        }
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
        throw BadInput(path, "'\(key)' is \(String(describing: found).prefix(60)); expected a value of type \(Self.name(Value.self))")
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

    /// Whether layer `layer` sees a sliding window of tokens, by the list layer_types.
    func isSliding(_ kinds: [String], _ layer: Int) throws -> Bool {
        guard layer < kinds.count else { throw BadInput(path, "'layer_types' names \(kinds.count) layers, and there is a layer \(layer)") }
        switch kinds[layer] {
        case "sliding_attention": return true
        case "full_attention": return false
        case let kind: throw BadInput(path, "'layer_types' names '\(kind)'; supported: full_attention, sliding_attention")
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
