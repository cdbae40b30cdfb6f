import ArgumentParser
import Documents
import Foundation
import Reporting
import SelfTest
import StandardStreams
import TensorCore

struct SelfTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Compare this build's numbers with golden cases: models, editors, tokenizers.",
        discussion: "A case's figure is the relative error ‖a − b‖ / ‖b‖ of the quantity that comes nearest to its tolerance.")

    @Option(help: ArgumentHelp("The directory of golden cases.", valueName: "dir"))
    var goldens: String

    @Flag(help: "Print one JSON object on standard output and nothing else there.")
    var json = false

    func run() throws {
        Threads.start(max(1, ProcessInfo.processInfo.activeProcessorCount))
        var unwritten: (any Error)?
        let results = try SelfTest.run(directory: goldens) { result in
            guard !json, unwritten == nil else { return }
            do { try StandardOutput.writeLine(Self.line(result)) } catch { unwritten = error }
        }
        if let unwritten { throw unwritten }
        let supported = results.filter(\.isSupported), passed = supported.filter(\.passed)
        if json {
            try JSONOutput.write([
                "cases": .array(supported.map(Self.json)), "passed": .integer(passed.count), "failed": .integer(supported.count - passed.count),
                "notSupported": .array(results.filter { !$0.isSupported }.map { .string($0.name) }),
            ])
        } else {
            try StandardOutput.writeLine("\(passed.count) passed, \(supported.count - passed.count) failed, \(results.count - supported.count) not supported")
        }
        if passed.count < supported.count { throw ExitCode(ExitStatus.failed) }
    }

    private static func line(_ result: CaseResult) -> String {
        switch result.outcome {
        case .compared(let quantity, let worst, let tolerance):
            let verdict = result.passed ? "passed" : "FAILED"
            return "\(verdict)  \(result.name): " + String(format: "%.2e (tolerance %.0e)", worst, tolerance) + ", \(quantity)"
        case .notSupported(let reason): return "not supported  \(result.name): \(reason)"
        case .failed(let reason): return "FAILED  \(result.name): \(reason)"
        }
    }

    private static func json(_ result: CaseResult) -> JSONValue {
        switch result.outcome {
        case .compared(let quantity, let worst, let tolerance):
            [
                "name": .string(result.name), "worst": .number(worst), "tolerance": .number(tolerance), "passed": .bool(result.passed),
                "quantity": .string(quantity),
            ]
        case .failed(let reason), .notSupported(let reason):
            ["name": .string(result.name), "worst": .null, "tolerance": .null, "passed": false, "problem": .string(reason)]
        }
    }
}
