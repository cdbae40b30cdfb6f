/// A checkpoint could not be written: one line with the step, the rank and what failed. Every rank throws the same.
/// Earlier checkpoints are untouched.
package struct CheckpointFailure: Error, CustomStringConvertible, Sendable {
    package let description: String
    package init(_ description: String) { self.description = description }
}
