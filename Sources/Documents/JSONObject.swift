/// Keys with values, in the order in which they were first set. Two keys are the same if their UTF-8 is.
package struct JSONObject: Sendable, ExpressibleByDictionaryLiteral {
    package struct Member: Sendable, Equatable {
        package let key: String
        package let value: JSONValue

        package init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    package private(set) var members: [Member]

    package init() { members = [] }

    /// - Precondition: no key comes twice, as in what the parser read.
    init(members: [Member]) { self.members = members }

    /// - Precondition: no key comes twice.
    package init(_ elements: [(String, JSONValue)]) {
        var keys = KeySet()
        for (key, _) in elements { precondition(keys.insert(key), "key '\(key)' given twice") }
        members = elements.map { Member($0.0, $0.1) }
    }

    package init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }

    package var keys: [String] { members.map(\.key) }
    package var count: Int { members.count }
    package var isEmpty: Bool { members.isEmpty }

    /// nil for a key that is not there; setting nil removes it. Takes time in proportion to the number of members.
    package subscript(key: String) -> JSONValue? {
        get { place(of: key).map { members[$0].value } }
        set {
            let place = place(of: key)
            switch (place, newValue) {
            case (let place?, let value?): members[place] = Member(key, value)
            case (let place?, nil): members.remove(at: place)
            case (nil, let value?): members.append(Member(key, value))
            case (nil, nil): break
            }
        }
    }

    package func setting(_ key: String, _ value: JSONValue) -> JSONObject {
        var object = self
        object[key] = value
        return object
    }

    private func place(of key: String) -> Int? { members.firstIndex { isSame($0.key, key) } }
}

extension JSONObject: Equatable {
    /// Whatever the order.
    package static func == (left: JSONObject, right: JSONObject) -> Bool { left.sortedByKey == right.sortedByKey }

    /// In the order of the keys' UTF-8.
    var sortedByKey: [Member] { members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) } }
}

/// Whether two texts have the same bytes. (Texts that are equal for Swift may not; texts that are not, never have.)
@inline(__always) func isSame(_ left: String, _ right: String) -> Bool { left == right && left.utf8.elementsEqual(right.utf8) }

/// The keys of an object that were seen.
struct KeySet {
    private struct Key: Hashable {
        let text: String

        static func == (left: Key, right: Key) -> Bool { isSame(left.text, right.text) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    private var few: [String] = []
    private var many: Set<Key> = []

    /// False if it was there.
    mutating func insert(_ key: String) -> Bool {
        if many.isEmpty {
            if few.contains(where: { isSame($0, key) }) { return false }
            few.append(key)
            if few.count > 16 { many = Set(few.map { Key(text: $0) }) }
            return true
        }
        return many.insert(Key(text: key)).inserted
    }
}
