/// A file that Git Large File Storage left in place of another: three lines that name the real one.
public enum LFSPointer {
    private static let start = "version https://git-lfs.github.com/spec/v1"

    /// Throws `BadInput` where `bytes`, the file's first ones at least, are such a pointer.
    public static func refuse(_ bytes: some Sequence<UInt8>, path: String) throws {
        guard bytes.starts(with: start.utf8) else { return }
        throw BadInput(path, "a Git LFS pointer, not the file: run 'git lfs pull' in its repository")
    }
}
