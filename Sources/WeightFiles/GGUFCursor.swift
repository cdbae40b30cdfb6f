import TensorCore

/// A position in a GGUF file's metadata, and the reading of its scalars, strings and arrays. Every read is checked
/// against the end. `subject` is what is being read, for messages.
struct GGUFCursor {
    private let file: MappedFile
    private let end: Int
    var position = 0

    /// Metadata beyond this many bytes are refused, which bounds the memory they can take (the largest vocabularies
    /// published need a fifth of it).
    private static let largestMetadata = 64 << 20
    private static let deepestArray = 8

    init(file: MappedFile) {
        self.file = file
        end = min(file.bytes.count, Self.largestMetadata)
    }

    private var left: Int { end - position }

    private func failure(_ problem: String) -> BadInput { BadInput(file.path, problem) }

    private func ended(_ subject: String) -> BadInput {
        end < file.bytes.count
            ? failure("\(subject) reaches beyond the first \(end) bytes, where metadata must end")
            : failure("\(subject) reaches beyond the file's \(end) bytes; is it truncated?")
    }

    // MARK: scalars and strings

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type, _ subject: String) throws -> Value {
        let size = MemoryLayout<Value>.size
        guard size <= left else { throw ended(subject) }
        defer { position += size }
        return Value(littleEndian: file.bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
    }

    /// A u64 count of items of at least `itemBytes` each, all of which must fit into the bytes left.
    mutating func count(itemBytes: Int, _ subject: String) throws -> Int {
        let claimed = try integer(UInt64.self, "the number of \(subject)")
        guard let count = Int(exactly: claimed), count <= left / itemBytes else {
            throw failure("claims \(claimed) \(subject), which cannot fit into the \(left) bytes left for them")
        }
        return count
    }

    mutating func string(_ subject: String) throws -> String {
        let length = try integer(UInt64.self, subject)
        guard length <= left else { throw ended(subject) }
        let range = position..<position + Int(length)
        guard let string = String(validating: file.bytes[range], as: UTF8.self) else {
            throw failure("\(subject): the string at byte \(position) is not UTF-8")
        }
        position = range.upperBound
        return string
    }

    private mutating func bool(_ subject: String) throws -> Bool {
        let byte = try integer(UInt8.self, subject)
        guard byte <= 1 else { throw failure("\(subject): a bool is \(byte); expected 0 or 1") }
        return byte == 1
    }

    // MARK: values

    /// A value of the type with that code.
    mutating func value(type: UInt32, depth: Int, _ subject: String) throws -> GGUFValue {
        switch type {
        case 0: .integer(Int(try integer(UInt8.self, subject)))
        case 1: .integer(Int(try integer(Int8.self, subject)))
        case 2: .integer(Int(try integer(UInt16.self, subject)))
        case 3: .integer(Int(try integer(Int16.self, subject)))
        case 4: .integer(Int(try integer(UInt32.self, subject)))
        case 5: .integer(Int(try integer(Int32.self, subject)))
        case 6: .float(Double(Float(bitPattern: try integer(UInt32.self, subject))))
        case 7: .bool(try bool(subject))
        case 8: .string(try string(subject))
        case 9: try array(depth: depth, subject)
        case 10: unsigned(try integer(UInt64.self, subject))
        case 11: .integer(Int(try integer(Int64.self, subject)))
        case 12: .float(Double(bitPattern: try integer(UInt64.self, subject)))
        default: throw failure("\(subject) has the unknown type \(type); expected 0 to 12")
        }
    }

    private func unsigned(_ value: UInt64) -> GGUFValue { Int(exactly: value).map { .integer($0) } ?? .unsigned(value) }

    private mutating func array(depth: Int, _ subject: String) throws -> GGUFValue {
        guard depth < Self.deepestArray else { throw failure("\(subject): arrays nested deeper than \(Self.deepestArray)") }
        let type = try integer(UInt32.self, subject)
        guard let itemBytes = smallestBytes(type: type) else {
            throw failure("\(subject) is an array of the unknown type \(type); expected 0 to 12")
        }
        let count = try count(itemBytes: itemBytes, "array elements in \(subject)")
        switch type {
        case 0: return .integers(try items(count) { Int(try $0.integer(UInt8.self, subject)) })
        case 1: return .integers(try items(count) { Int(try $0.integer(Int8.self, subject)) })
        case 2: return .integers(try items(count) { Int(try $0.integer(UInt16.self, subject)) })
        case 3: return .integers(try items(count) { Int(try $0.integer(Int16.self, subject)) })
        case 4: return .integers(try items(count) { Int(try $0.integer(UInt32.self, subject)) })
        case 5: return .integers(try items(count) { Int(try $0.integer(Int32.self, subject)) })
        case 6: return .floats(try items(count) { Double(Float(bitPattern: try $0.integer(UInt32.self, subject))) })
        case 7: return .bools(try items(count) { try $0.bool(subject) })
        case 8: return .strings(try items(count) { try $0.string(subject) })
        case 10: return unsignedArray(try items(count) { try $0.integer(UInt64.self, subject) })
        case 11: return .integers(try items(count) { Int(try $0.integer(Int64.self, subject)) })
        case 12: return .floats(try items(count) { Double(bitPattern: try $0.integer(UInt64.self, subject)) })
        default: return .array(try items(count) { try $0.value(type: type, depth: depth + 1, subject) })
        }
    }

    private func unsignedArray(_ values: [UInt64]) -> GGUFValue {
        values.allSatisfy { $0 <= Int.max } ? .integers(values.map(Int.init)) : .array(values.map(unsigned))
    }

    private mutating func items<Item>(_ count: Int, _ read: (inout GGUFCursor) throws -> Item) throws -> [Item] {
        var items: [Item] = []
        items.reserveCapacity(count)
        for _ in 0..<count { items.append(try read(&self)) }
        return items
    }

    /// The least bytes that a value of the type takes; nil for an unknown one.
    private func smallestBytes(type: UInt32) -> Int? {
        switch type {
        case 0, 1, 7: 1
        case 2, 3: 2
        case 4, 5, 6: 4
        case 8, 10, 11, 12: 8
        case 9: 12
        default: nil
        }
    }
}
