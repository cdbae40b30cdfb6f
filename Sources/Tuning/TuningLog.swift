import Communication
import Documents
import Foundation
import Reporting
import TensorCore

/// One configuration that was tried.
package struct TuningTrial: Codable, Sendable, Equatable {
    package let stage: String
    /// Of the best configuration before it.
    package let change: TuningChanges
    /// With those that came before, of what was given.
    package let changes: TuningChanges
    /// As a validation gives it, in percent.
    package let score: Double
    /// What the score is made of, for people.
    package let text: String
    package let seconds: Double
    /// Tells what was tried, on what, from everything else.
    let identity: String

    /// "positions=subject, steps=8": what it changes, behind `before` where that is something.
    package func text(separator: String, before: String = "") -> String {
        let settings = change.sorted { $0.key < $1.key }.map { "\($0.key.split(separator: ".").last ?? "")=\($0.value)" }
        return settings.isEmpty ? "" : before + settings.joined(separator: separator)
    }
}

/// The trials of a directory, each there as soon as it is done: one that is there is not done again.
final class TuningLog {
    static let name = "trials.jsonl"
    private static let mostBytes = 64 << 20

    private let communicator: Communicator
    /// Rank 0's.
    private let file: MetricsLog?
    private var known: [String: TuningTrial]

    /// Collective.
    init(directory: String, communicator: Communicator, message: (String) -> Void) throws {
        self.communicator = communicator
        let path = directory + "/" + Self.name
        var bytes: [UInt8] = []
        if communicator.isRoot {
            let file = try MetricsLog(path: path)
            if file.droppedBytes > 0 { message("\(path): dropped a last line of \(file.droppedBytes) bytes that was cut short") }
            bytes = try InputFile.read(path, atMost: Self.mostBytes, what: "log of trials")
            self.file = file
        } else {
            file = nil
        }
        known = [:]
        for (index, line) in try communicator.broadcast(bytes, root: 0).split(separator: UInt8(ascii: "\n")).enumerated() {
            let place = "\(path), line \(index + 1)"
            let trial = try JSONValue(parsing: Data(line), file: place).decode(TuningTrial.self, location: place)
            known[trial.identity] = trial
        }
    }

    func trial(_ identity: String) -> TuningTrial? { known[identity] }

    func append(_ trial: TuningTrial) throws {
        known[trial.identity] = trial
        guard let file, case .object(let line) = try JSONValue(encoding: trial) else { return }
        try file.append(line)
    }
}
