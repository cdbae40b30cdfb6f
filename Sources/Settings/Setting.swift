/// One key of a configuration, in the one place that says what it is: its name, what it may hold, its default, what it means, and whether a run
/// with another value is another run. Reading, canonical text, differences between runs and the reference of all keys come from it.
package struct Setting<Value: Sendable>: AnySetting {
    package let name: String
    package let meaning: String
    package let identity: SettingIdentity
    /// As the reference gives it: "2", "as data.batches"; nil where the key must be given.
    package let defaultText: String?
    let kind: SettingKind<Value>
    /// nil: the key must be given.
    let fallback: Value?

    /// - Parameter described: What to say of a default that depends on other keys: "as data.batches".
    package init(
        _ name: String, _ kind: SettingKind<Value>, default fallback: Value, described: String? = nil,
        identity: SettingIdentity = .run, _ meaning: String
    ) {
        self.name = name
        self.kind = kind
        self.fallback = fallback
        self.identity = identity
        self.meaning = meaning
        defaultText = described ?? kind.canonical(fallback).plainText
    }

    package init(required name: String, _ kind: SettingKind<Value>, identity: SettingIdentity = .run, _ meaning: String) {
        self.name = name
        self.kind = kind
        self.identity = identity
        self.meaning = meaning
        fallback = nil
        defaultText = nil
    }

    package var values: String { kind.expected }

    package func read(_ section: SectionReader) throws -> any Sendable { Held(value: try value(in: section)) }

    package func canonical(_ held: any Sendable) -> CanonicalValue { kind.canonical(Self.value(held)) }

    package func isDefault(_ held: any Sendable) -> Bool { fallback.map { kind.canonical($0) == canonical(held) } ?? false }

    /// Of the section, or the default.
    func value(in section: SectionReader) throws -> Value {
        if let written = section.written(name) { return try kind.parse(written, section.path(name)) }
        guard let fallback else { throw section.error(name, "expected \(kind.expected), found nothing; there is no default") }
        return fallback
    }

    static func value(_ held: any Sendable) -> Value {
        guard let held = held as? Held<Value> else { preconditionFailure("a setting of another type than it was read as: \(held)") }
        return held.value
    }
}

/// Whether a run with another value of a setting is another run.
package enum SettingIdentity: Sendable {
    /// No: it may have another value when a run goes on.
    case mayChange
    /// Yes.
    case run
    /// Yes, and the default is what runs did before there was a choice.
    case runUnlessDefault
    /// Yes, and it says what the networks are: an editor that was trained with another cannot be used.
    case editor
    /// As `editor`, and the default is what editors were before there was a choice.
    case editorUnlessDefault

    /// Whether runs that did not know the setting are those that have its default.
    package var goesWithoutSaying: Bool { self == .runUnlessDefault || self == .editorUnlessDefault }
    package var isOfEditor: Bool { self == .editor || self == .editorUnlessDefault }
}

/// A setting whatever it holds.
package protocol AnySetting: Sendable {
    var name: String { get }
    var meaning: String { get }
    var identity: SettingIdentity { get }
    var defaultText: String? { get }
    /// What it may hold, in words.
    var values: String { get }

    func read(_ section: SectionReader) throws -> any Sendable
    func canonical(_ held: any Sendable) -> CanonicalValue
    func isDefault(_ held: any Sendable) -> Bool
}

/// So that a value that is optional is not mistaken for one that is not there.
private struct Held<Value: Sendable>: Sendable { let value: Value }

/// The settings of a section, each a property of the type.
package protocol SettingGroup: Sendable {
    /// In the order of their declaration.
    var settings: [any AnySetting] { get }
}

extension SettingGroup {
    package var settings: [any AnySetting] { Mirror(reflecting: self).children.compactMap { $0.value as? any AnySetting } }
}

/// The values of a group of settings: `section.steps` is the value of the group's setting `steps`.
@dynamicMemberLookup
package struct Section<Group: SettingGroup>: AnySection {
    package let group: Group
    private let values: [String: any Sendable]

    /// Reads every setting of the group. The section's keys have been checked.
    package init(_ group: Group, _ reader: SectionReader) throws {
        self.group = group
        values = Dictionary(uniqueKeysWithValues: try group.settings.map { ($0.name, try $0.read(reader)) })
    }

    package subscript<Value>(dynamicMember setting: KeyPath<Group, Setting<Value>>) -> Value { self[group[keyPath: setting]] }

    /// A setting that the group does not list, or not now, has its default.
    package subscript<Value>(_ setting: Setting<Value>) -> Value {
        guard let held = values[setting.name] else {
            guard let fallback = setting.fallback else { preconditionFailure("\(setting.name) is not of this section, and has no default") }
            return fallback
        }
        return Setting<Value>.value(held)
    }

    package var settings: [any AnySetting] { group.settings }

    package func canonical(_ isWanted: (SettingIdentity, _ isDefault: Bool) -> Bool) -> CanonicalValue {
        var entries: [String: CanonicalValue] = [:]
        for setting in group.settings {
            guard let held = values[setting.name], isWanted(setting.identity, setting.isDefault(held)) else { continue }
            entries[setting.name] = setting.canonical(held)
        }
        return .section(entries)
    }
}

/// The values of some group.
package protocol AnySection: Sendable {
    var settings: [any AnySetting] { get }
    /// Of the settings that are wanted.
    func canonical(_ isWanted: (SettingIdentity, _ isDefault: Bool) -> Bool) -> CanonicalValue
}
