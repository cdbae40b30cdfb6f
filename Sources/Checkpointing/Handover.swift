/// How ranks tell rank 0 that their files are written while all of them are busy with other things: each leaves its list of chunks beside
/// its file, as `rank-0001.ready`. Rank 0 takes what it can read for true and what it cannot for not yet there: a network file system may
/// show it late. Whatever happens, `PendingSave.finish` asks the ranks themselves.
struct Handover {
    let directory: StepDirectory
    let rankCount: Int

    private static let suffix = ".ready"
    private static let longest = 1 << 30

    private func path(_ rank: Int) -> String { directory.partial + "/" + DataFile.name(rank: rank) + Self.suffix }

    /// Leaves rank `rank`'s list. Not to be able to is no failure.
    func announce(_ written: WrittenFile, rank: Int) {
        guard rank > 0, let bytes = try? written.encoded(), let file = try? File(creating: path(rank)) else { return }
        try? bytes.withUnsafeBytes { try file.write($0) }
    }

    /// All ranks' lists, in rank order, once they and the files that they name are seen whole; `own` is rank 0's.
    func collect(own: WrittenFile) -> [WrittenFile]? {
        var all = [own]
        for rank in 1..<max(1, rankCount) {
            guard let bytes = try? FileSystem.read(path(rank), limit: Self.longest), let written = try? WrittenFile(encoded: bytes, rank: rank),
                let length = try? File(reading: directory.partial + "/" + written.file.name).length(), length == written.file.length
            else { return nil }
            all.append(written)
        }
        return all
    }

    /// Removes the lists, before the directory becomes a checkpoint.
    func clear() throws {
        for rank in 1..<max(1, rankCount) { try FileSystem.remove(path(rank)) }
    }
}
