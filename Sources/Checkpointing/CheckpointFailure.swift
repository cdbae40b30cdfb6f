/// A checkpoint could not be written: one line with the step, the rank and what failed. Every rank throws the same.
/// Earlier checkpoints are untouched.
public struct CheckpointFailure: Error, CustomStringConvertible, Sendable {
    public let description: String
    public init(_ description: String) { self.description = description }
}
