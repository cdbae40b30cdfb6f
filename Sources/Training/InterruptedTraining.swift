/// An error that ended a run of training, and what is kept of the run.
package struct InterruptedTraining: Error, CustomStringConvertible {
    package let error: any Error
    package let kept: Kept

    /// The newest checkpoint: the run goes on after its batches.
    package struct Kept: Sendable {
        package let batches: Int
        package let checkpoint: String

        var text: String { "the checkpoint of batch \(batches) is kept: \(checkpoint)" }
    }

    package var description: String { "\(error); \(kept.text)" }
}
