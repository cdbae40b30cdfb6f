import ArgumentParser
import Foundation
import LinearAlgebra
import Machine
import Reporting
import StandardStreams
import TensorCore

/// `amend-benchmark`: the kernels alone, each held against what this machine can do.
@main
struct AmendBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "amend-benchmark",
        abstract: "Measure amend's kernels against the machine's own rates.",
        subcommands: [Measure.self, Count.self], defaultSubcommand: Measure.self)

    static func main() {
        Startup.prepare()
        Self.main(nil)
    }
}

struct Selection: ParsableArguments {
    @Option(help: ArgumentHelp("Only what has this in its name.", valueName: "substring"))
    var only: String?

    func matches(_ name: String) -> Bool { only.map { name.contains($0) } ?? true }

    func requireSome(_ count: Int) throws {
        if count == 0 { throw ValidationError("--only: no kernel's name contains '\(only ?? "")'; amend-benchmark measure --list prints them") }
    }
}

struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time every kernel, and writing and reading a checkpoint: rates, and shares of the machine's own (the default).",
        discussion: """
            Kernels bound by arithmetic are held against OpenBLAS's sgemm, as amend doctor measures it; those bound by memory \
            against a copy of as many bytes, from cache where they fit. Both run on as many threads, just before and after. \
            Rates and shares are those of the fastest sample, as the yardsticks' are; the seconds are the median. Takes about a \
            minute; the machine should be idle.
            """)

    @OptionGroup var selection: Selection

    @Option(help: "Threads; by default those that this process may use.")
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Only print the names.")
    var list = false

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads is \(threads); expected 1 to 1024") }
    }

    func run() throws {
        let kernels = Catalogue(sizes: .job).all.filter { selection.matches($0.name) }, withCheckpoint = selection.matches(CheckpointMeasurement.name)
        try selection.requireSome(kernels.count + (withCheckpoint ? 1 : 0))
        if list { return try StandardOutput.writeLine((kernels.map(\.name) + (withCheckpoint ? [CheckpointMeasurement.name] : [])).joined(separator: "\n")) }
        let usable = min(Processors.usable().count, Processors.quota().map { Int($0.rounded(.up)) } ?? .max)
        Threads.start(threads ?? max(1, usable))
        let report = try Report(kernels: kernels, withCheckpoint: withCheckpoint)
        if json { try JSONOutput.write(report.json) } else { try StandardOutput.writeLine(report.text) }
    }
}

struct Count: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run each kernel at small sizes once on one thread, inside countedRegion(): for an instruction counter.",
        discussion: "Prints the names, in the order in which they run. Scripts/instruction-gate.sh runs it under valgrind.")

    @OptionGroup var selection: Selection

    func run() throws {
        let kernels = Catalogue(sizes: .small).all.filter { selection.matches($0.name) }
        try selection.requireSome(kernels.count)
        Threads.start(1)
        for kernel in kernels {
            let body = kernel.prepare()
            body()  // what is done once only (scratch, symbols) is not counted
            countedRegion(body)
            try StandardOutput.writeLine(kernel.name)
        }
    }
}

/// Of this name and never inlined: an instruction counter is switched on by entering it and off by leaving.
@inline(never)
private func countedRegion(_ body: () -> Void) { body() }
