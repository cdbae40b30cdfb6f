/// An error that ended a run of training, and what is kept of the run.
public struct InterruptedTraining: Error, CustomStringConvertible {
    public let error: any Error
    public let kept: Kept

    /// The newest checkpoint: the run goes on after its batches.
    public struct Kept: Sendable {
        public let batches: Int
        public let checkpoint: String

        var text: String { "the checkpoint of batch \(batches) is kept: \(checkpoint)" }
    }

    public var description: String { "\(error); \(kept.text)" }
}
