/// A file or value that a user supplied and that cannot be used. The text is one line that says where, what, and,
/// where it helps, what was expected and what was found. The command line exits with status 3 for it.
public struct BadInput: Error, CustomStringConvertible, Sendable {
    /// The file, with a key, line or tensor name where there is one.
    public let location: String
    /// What was expected there, and what was found.
    public let problem: String

    package init(_ location: String, _ problem: String) {
        self.location = location
        self.problem = problem
    }

    public var description: String { "\(location): \(problem)" }
}
