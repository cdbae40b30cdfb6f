/// Says so if a file's first bytes are those of a Git LFS pointer: what a repository holds in place of a large file that was not fetched.
package func problem(ofGitLFSPointer bytes: some Collection<UInt8>) -> String? {
    guard bytes.starts(with: "version https://git-lfs.github.com/spec/".utf8) else { return nil }
    return "is a Git LFS pointer, not the file itself; run 'git lfs pull' in its repository"
}
