import TensorCore

/// A directory of checkpoints, or one checkpoint, for reading only: nothing is created, cleaned or locked.
package struct CheckpointReader {
    package let directory: String
    private let report: (String) -> Void
    /// The checkpoint that `directory` itself is, if it is one.
    private let only: StepDirectory?

    /// `report` gets one line for each checkpoint that is skipped, on rank 0 only.
    package init(directory: String, report: @escaping (String) -> Void) {
        self.directory = directory
        self.report = report
        only = FileSystem.exists(directory + "/" + Manifest.fileName) ? StepDirectory(path: directory, label: directory) : nil
    }

    /// The newest checkpoint that verifies, or nil if there is none (or no directory). Collective: every rank gets the
    /// same. Rank 0 checks manifests and file lengths; the chunks' SHA-256 are shared out over the ranks. A damaged
    /// checkpoint is reported and skipped. Throws only if the directory cannot be listed or communication fails.
    /// `last`: the last step that may be taken; of no matter where `directory` is one checkpoint.
    package func newest(upTo last: Int = .max, exchange: any CheckpointExchange) throws -> LoadedCheckpoint? {
        var below = last == .max || only != nil ? Int.max : last + 1
        while true {
            let text = try exchange.fromRoot { try manifestText(below: below) }
            if text.isEmpty { return nil }
            // Every rank parses the bytes that rank 0 has accepted.
            let manifest = try Manifest(json: text, checksumLine: Manifest.checksumLine(of: text), location: directory)
            let stepDirectory = only ?? StepDirectory(parent: directory, step: manifest.step)
            let mine = Outcome {
                try stepDirectory.verifyChunks(of: manifest, share: exchange.rank, of: exchange.size)
                return []
            }
            let outcomes = try exchange.outcomesAtRoot(mine)
            let verdict = try exchange.fromRoot { [accept(outcomes) ? 1 : 0] }
            if verdict == [1] { return LoadedCheckpoint(directory: stepDirectory, manifest: manifest) }
            below = manifest.step
        }
    }

    /// The configuration in the newest manifest that can be read, or nil if there is none. Collective; chunks are not looked at.
    package func newestConfiguration(exchange: any CheckpointExchange) throws -> String? {
        let text = try exchange.fromRoot { try manifestText(below: .max) }
        if text.isEmpty { return nil }
        return try Manifest(json: text, checksumLine: Manifest.checksumLine(of: text), location: directory).configuration
    }

    /// The manifest of the newest step before `below` whose manifest and file lengths are right; empty if there is none.
    private func manifestText(below: Int) throws -> [UInt8] {
        guard FileSystem.exists(directory) else { return [] }
        if let only { return below == .max ? try only.readManifest().1 : [] }
        for step in try StepDirectory.steps(in: directory).reversed() where step < below {
            let stepDirectory = StepDirectory(parent: directory, step: step)
            do {
                let (manifest, text) = try stepDirectory.readManifest()
                guard manifest.step == step else {
                    throw BadInput(stepDirectory.label, "its manifest is that of step \(manifest.step)")
                }
                return text
            } catch {
                report("\(error): skipped")
            }
        }
        return []
    }

    /// Whether all ranks found their chunks intact; reports the first problem otherwise.
    private func accept(_ outcomes: [Outcome]) -> Bool {
        for (rank, outcome) in outcomes.enumerated() {
            guard let problem = outcome.problem else { continue }
            report(problem + (outcomes.count > 1 ? " (seen by rank \(rank))" : "") + ": skipped")
            return false
        }
        return true
    }
}
