import TensorCore

/// A checkpoint that has its name, and what there is to tell people beside it.
struct Committed {
    let info: CheckpointInfo
    let reports: [String]
}

/// Rank 0's part of a commit: everything between "all ranks have written" and "the checkpoint has its name".
struct Commit {
    let options: CheckpointOptions
    let step: Int
    let layout: ChunkLayout
    let document: CheckpointDocument
    let rankCount: Int
    /// A step whose checkpoint stays.
    var spared: Int?

    var directory: StepDirectory { StepDirectory(parent: options.directory, step: step) }
    var handover: Handover { Handover(directory: directory, rankCount: rankCount) }

    /// All of it. On any thread, and once; if it throws, nothing is left of the checkpoint.
    func complete(_ written: [WrittenFile]) throws -> Committed {
        do {
            try handover.clear()
            let info = try writeManifest(written)
            try publish()
            var reports: [String] = []
            prune { reports.append($0) }
            return Committed(info: info, reports: reports)
        } catch {
            try? FileSystem.remove(directory.partial)
            throw error
        }
    }

    /// Writes the manifest last, when all data files are seen to be complete.
    private func writeManifest(_ written: [WrittenFile]) throws -> CheckpointInfo {
        let files = written.map(\.file)
        try requireVisible(files)
        let manifest = try Manifest(
            step: step, method: options.method, configuration: options.configuration, document: document, layout: layout,
            stored: (files, canonicalRecords(written)))
        let text = try manifest.json()
        let checksumLine = Manifest.checksumLine(of: text)
        try FileSystem.write(text, to: directory.partial + "/" + Manifest.fileName)
        try options.onStage?(.manifestWritten, 0)
        try FileSystem.write(checksumLine, to: directory.partial + "/" + Manifest.checksumFileName)
        try FileSystem.synchronizeDirectory(directory.partial)
        try options.onStage?(.partialSynchronized, 0)
        return CheckpointInfo(
            step: step, path: directory.path, digest: "\(manifest.digest)",
            bytes: manifest.dataBytes + text.count + checksumLine.count, rawBytes: layout.rawBytes)
    }

    /// Other nodes' files must be here too: is the directory really shared?
    private func requireVisible(_ files: [DataFile]) throws {
        for (rank, file) in files.enumerated() {
            let length = try? File(reading: directory.partial + "/" + file.name).length()
            guard length == file.length else {
                let found = length.map { "\($0) bytes" } ?? "nothing"
                throw CheckpointFailure(
                    "rank \(rank) wrote \(file.length) bytes to \(file.name), rank 0 sees \(found): do all nodes share \(options.directory)?")
            }
        }
    }

    /// The chunks' records in canonical order, each from exactly one rank.
    private func canonicalRecords(_ written: [WrittenFile]) throws -> [ChunkRecord] {
        var records = [ChunkRecord?](repeating: nil, count: layout.chunks.count)
        let checksum = try layout.checksum()
        for (rank, file) in written.enumerated() {
            guard file.layoutChecksum == checksum else {
                throw CheckpointFailure("rank \(rank) saves other tensors (names, shapes, pieces) than rank 0")
            }
            for (index, record) in file.records {
                guard records.indices.contains(index), records[index] == nil else {
                    throw CheckpointFailure("\(name(index)) was written twice, the second time by rank \(rank)")
                }
                records[index] = record
            }
        }
        return try records.enumerated().map { index, record in
            guard let record else { throw CheckpointFailure("\(name(index)) was written by no rank") }
            return record
        }
    }

    private func name(_ index: Int) -> String {
        guard layout.chunks.indices.contains(index) else { return "chunk \(index)" }
        let chunk = layout.chunks[index]
        return "chunk \(index) (piece \(chunk.piece) of '\(layout.tensors[chunk.tensor].name)')"
    }

    /// Gives the checkpoint its name. One of the same step that is there already (the run went back to an earlier one) is
    /// moved aside first and given back if this fails; `StepDirectory.cleanLeftovers` does so after a crash.
    private func publish() throws {
        let replaces = FileSystem.exists(directory.path)
        if replaces {
            try FileSystem.remove(directory.replaced)
            try FileSystem.rename(directory.path, to: directory.replaced)
        }
        do {
            if replaces { try options.onStage?(.previousMovedAside, 0) }
            try FileSystem.rename(directory.partial, to: directory.path)
        } catch {
            if replaces { try? FileSystem.rename(directory.replaced, to: directory.path) }
            throw error
        }
        try options.onStage?(.renamed, 0)
        try FileSystem.synchronizeDirectory(options.directory)
        try options.onStage?(.committed, 0)
    }

    /// Removes what the new checkpoint makes superfluous. Failing to is no failure of the save: it is reported.
    private func prune(report: (String) -> Void) {
        do {
            try FileSystem.remove(directory.replaced)
            let steps = Retention.stepsToRemove(
                existing: try StepDirectory.steps(in: options.directory), committed: step, keepLast: options.keepLast,
                keepEvery: options.keepEvery, spared: spared)
            for step in steps {
                let old = StepDirectory(parent: options.directory, step: step)
                try FileSystem.remove(old.pruned)
                try FileSystem.rename(old.path, to: old.pruned)
                try options.onStage?(.pruning, 0)
                try FileSystem.remove(old.pruned)
            }
        } catch {
            report("removing old checkpoints: \(error)")
        }
    }
}
