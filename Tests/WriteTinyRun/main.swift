// Writes a tiny model, data and a configuration for amend train and amend evaluate, those of the tests of the command line:
// WriteTinyRun DIRECTORY
import Foundation
import TestSupport

guard CommandLine.arguments.count == 2 else {
    FileHandle.standardError.write(Data("usage: WriteTinyRun DIRECTORY\n".utf8))
    exit(2)
}
try TinyFiles.write(to: URL(fileURLWithPath: CommandLine.arguments[1], isDirectory: true))
