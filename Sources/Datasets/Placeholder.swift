// A prompt may leave a place for what it is about: "{} is located in the city of".

/// The places that are left for a subject in a template: "{}" as in CounterFact, and "{subject}".
///
/// "{{}}" and "{{subject}}" are the texts "{}" and "{subject}", for prompts about code. All other braces stand for themselves; "{0}", "{Subject}"
/// and "[X]" do too, unless they must have been meant as a place: see ``filled(_:key:subject:)``.
enum Placeholder {
    private static let names = ["{}", "{subject}"]
    /// Places in other notations. In lower case, for theirs does not matter; but "[X]", ParaRel's, is another than the "[x]" of code.
    private static let otherNotations = ["{0}", "{ subject }", "{subject}", "{entity}", "[subject]", "[entity]", "<subject>"]
    private static let paraRel = "[X]"

    private enum Part {
        case text(String)
        case place(String)
    }

    /// The template with the subject in all its places; braces in the subject stay. Throws a `RecordError` that names `key` where
    /// there is a place and no subject for it, or where the subject is nowhere in the text and something like a place was left.
    static func filled(_ template: String, key: String, subject: String?) throws -> String {
        let parts = parts(of: template)
        let text = parts.map { part in
            switch part {
            case .text(let text): text
            case .place: subject ?? ""
            }
        }.joined()
        let place = parts.lazy.compactMap { if case .place(let name) = $0 { name } else { nil } }.first
        guard let subject else {
            if let place {
                throw RecordError("'\(key)' has a \(place) for a subject, but the record has no 'subject'; \(remedy(place)): '\(excerpt(template))'")
            }
            return text
        }
        if place == nil, !contains(text, subject), !contains(template, "{{"), let meant = otherPlace(in: text) {
            throw RecordError("'\(key)' has a \(meant), and the subject is not in it; write {} where it belongs: '\(excerpt(template))'")
        }
        return text
    }

    /// A prompt about something else than the record's subject. Throws a `RecordError` that names `key` where it leaves a place: the
    /// edited subject there would make it a prompt about the edit.
    static func unrelated(_ template: String, key: String) throws -> String {
        let parts = parts(of: template)
        for case .place(let place) in parts {
            throw RecordError(
                "'\(key)' has a \(place), but it must not be about the record's subject, and has none of its own; "
                    + "write out what it is about: '\(excerpt(template))'")
        }
        return parts.map { if case .text(let text) = $0 { text } else { "" } }.joined()
    }

    static func hasPlace(_ template: String) -> Bool {
        parts(of: template).contains { if case .place = $0 { true } else { false } }
    }

    private static func otherPlace(in text: String) -> String? {
        if contains(text, paraRel) { return paraRel }
        let lowered = text.lowercased()
        return otherNotations.first { contains(lowered, $0) }
    }

    private static func remedy(_ place: String) -> String { "give it one, or write {\(place)} if the text \(place) is meant" }

    private static func parts(of template: String) -> [Part] {
        var parts: [Part] = [], rest = Array(template.utf8)[...], text: [UInt8] = []
        func close() {
            if !text.isEmpty { parts.append(.text(String(decoding: text, as: UTF8.self))) }
            text = []
        }
        while let byte = rest.first {
            if byte != UInt8(ascii: "{") {
                text.append(byte)
                rest.removeFirst()
            } else if let name = names.first(where: { rest.starts(with: "{\($0)}".utf8) }) {
                text += name.utf8
                rest.removeFirst(name.utf8.count + 2)
            } else if let name = names.first(where: { rest.starts(with: $0.utf8) }) {
                close()
                parts.append(.place(name))
                rest.removeFirst(name.utf8.count)
            } else {
                text.append(byte)
                rest.removeFirst()
            }
        }
        close()
        return parts
    }

    /// By bytes: `String` would compare characters.
    static func contains(_ text: String, _ part: String) -> Bool {
        let text = Array(text.utf8), part = Array(part.utf8)
        return text.count >= part.count && (0...text.count - part.count).contains { text[$0..<$0 + part.count].elementsEqual(part) }
    }
}
