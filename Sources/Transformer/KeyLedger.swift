import Documents
import TensorCore
import WeightFiles

/// Which keys of a model file were looked up, with what. Every look-up registers itself here, so that what nothing looked up can be refused
/// by name: a key that is passed over may be one that changes every number.
final class KeyLedger {
    private var looked: Set<String> = []
    private var numbers: [(key: String, value: String, isDefault: Bool)] = []

    func look(_ key: String) { looked.insert(key) }
    func hasLooked(at key: String) -> Bool { looked.contains(key) }

    /// A whole number that the model is built with; `isDefault` where the file leaves it out.
    func note(_ key: String, _ value: String, isDefault: Bool) {
        if !numbers.contains(where: { $0.key == key }) { numbers.append((key, value, isDefault)) }
    }

    /// "hidden_size 32, num_hidden_layers 4, and by default head_dim 256": for messages about tensors that do not fit.
    var sizes: String {
        func list(_ isDefault: Bool) -> String { numbers.filter { $0.isDefault == isDefault }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }
        return [list(false), list(true).isEmpty ? "" : "by default " + list(true)].filter { !$0.isEmpty }.joined(separator: ", and ")
    }
}

/// Keys of a model file that change no number which amend computes, and why.
struct HarmlessKeys {
    let keys: [String]  // one that ends with * stands for all that begin so
    /// The only values that are harmless, as messages spell them; nil: whatever the value.
    let only: [String]?
    let reason: String

    init(_ keys: [String], only: [String]? = nil, because reason: String) {
        (self.keys, self.only, self.reason) = (keys, only, reason)
    }

    func names(_ key: String) -> Bool {
        keys.contains { $0.hasSuffix("*") ? key.hasPrefix($0.dropLast()) : $0 == key }
    }
}

/// Refuses what is left of a model file's keys or tensors: several in one message, the first few by name.
struct Leftovers {
    private static let named = 6
    private var items: [(name: String, text: String)] = []

    /// Adds the key unless `harmless` has it with this value.
    mutating func add(_ key: String, value: String, unless harmless: [HarmlessKeys]) {
        let entries = harmless.filter { $0.names(key) }
        if entries.contains(where: { $0.only?.contains(value) ?? true }) { return }
        let supported = entries.flatMap { $0.only ?? [] }
        items.append((key, "\(quoted(key)) is \(value)" + (supported.isEmpty ? "" : " (supported: \(supported.joined(separator: ", ")))")))
    }

    mutating func add(tensor name: String) { items.append((name, quoted(name))) }

    /// Throws `BadInput` if there are any; `advice` says what they mean.
    func refuse(_ path: String, _ what: String, _ advice: String) throws {
        guard !items.isEmpty else { return }
        let sorted = items.sorted { $0.name < $1.name }.map(\.text), more = sorted.count - Self.named
        throw BadInput(path, "\(what): \(sorted.prefix(Self.named).joined(separator: ", "))\(more > 0 ? " and \(more) more" : ""); \(advice)")
    }
}
