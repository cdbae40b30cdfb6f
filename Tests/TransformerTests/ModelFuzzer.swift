import Foundation
import TensorCore
import TestSupport
import Tokenization
import Transformer
import WeightFiles

/// Damages good model files at random, loads what comes out and computes with it. Whatever that is, it must be refused with one line, or be a
/// model that can be computed. The inputs follow from the seed alone. Runs in a process of its own, whose memory it limits.
struct ModelFuzzer {
    struct Report: CustomStringConvertible {
        var inputs = 0, accepted = 0, refused = 0
        var slowestSeconds = 0.0, slowestInput = 0
        var largestMegabytes = 0
        var failures: [String] = []

        var description: String {
            "\(inputs) inputs, \(accepted) accepted, \(refused) refused, slowest \(slowestSeconds) s (input \(slowestInput)), "
                + "at most \(largestMegabytes) MB resident, \(failures.count) failures"
        }
    }

    private static let addressSpaceBytes: rlim_t = 4 << 30
    private static let slowestAllowedSeconds = 10.0  // of processor time: others may keep the processor from us
    private static let hangSeconds = 60  // of processor time, after which the process ends

    /// AMEND_FUZZ_SECONDS for each kind of file, or a few; AMEND_FUZZ_SEED, and AMEND_FUZZ_FIRST for the number of the first input.
    private static func setting<Value: LosslessStringConvertible>(_ name: String, _ value: Value) -> Value {
        ProcessInfo.processInfo.environment["AMEND_FUZZ_\(name)"].flatMap(Value.init) ?? value
    }

    /// Where the input in hand lies, to be looked at after a crash, with its number in the file "input".
    let directory: String
    var random: RandomBits
    private let seed: UInt64

    init(_ kind: String) throws {
        seed = Self.setting("SEED", 1)
        random = RandomBits(state: seed)
        let memory = "/dev/shm"  // a disk would take most of the time
        let place = FileManager.default.isWritableFile(atPath: memory) ? URL(fileURLWithPath: memory) : FileManager.default.temporaryDirectory
        directory = place.appendingPathComponent("model-fuzz-\(kind)-\(UUID())").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    /// Ends the process for want of memory, so that this is a failure.
    private static func limitProcess() {
        var limit = rlimit(rlim_cur: addressSpaceBytes, rlim_max: addressSpaceBytes)
        precondition(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, "no limit of memory: \(errno)")
    }

    /// 0: not at all.
    private static func endProcess(afterSeconds seconds: Int) {
        var time = itimerval(it_interval: timeval(), it_value: timeval(tv_sec: seconds, tv_usec: 0))
        setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &time, nil)
    }

    /// `next` writes an input into `directory` and returns what reads it.
    mutating func run(_ next: (inout ModelFuzzer) throws -> () throws -> Void) throws -> Report {
        Self.limitProcess()
        let clock = ContinuousClock(), first = Self.setting("FIRST", 0)
        let end = clock.now + .seconds(Self.setting("SECONDS", 2.0))
        var report = Report(inputs: first)
        while clock.now < end, report.failures.count < 10 {
            random = RandomBits(state: seed &+ UInt64(report.inputs) &* 0x9E37_79B9_7F4A_7C15)
            let read = try next(&self)
            try write(Array("\(report.inputs)".utf8), to: "input")
            Self.endProcess(afterSeconds: Self.hangSeconds)
            let started = Self.processSeconds()
            do {
                try read()
                report.accepted += 1
            } catch  where error is BadInput || error is UnsupportedFamily {
                report.refused += 1
                let text = "\(error)"
                if text.contains(where: \.isNewline) || text.count > 2000 {
                    report.failures.append("input \(report.inputs): not one line: \(text.debugDescription.prefix(3000))")
                }
            } catch {
                report.failures.append("input \(report.inputs): another error: \(error)")
            }
            let elapsed = Self.processSeconds() - started
            if elapsed > Self.slowestAllowedSeconds { report.failures.append("input \(report.inputs): took \(elapsed) s") }
            if elapsed > report.slowestSeconds { (report.slowestSeconds, report.slowestInput) = (elapsed, report.inputs) }
            report.inputs += 1
        }
        Self.endProcess(afterSeconds: 0)
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 { report.largestMegabytes = usage.ru_maxrss / 1024 }
        try FileManager.default.removeItem(atPath: directory)
        report.inputs -= first
        return report
    }

    private static func processSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: directory + "/" + name))
    }
}

// MARK: what is done with a file that is not refused

extension ModelFuzzer {
    /// Every element that can be decoded; others must be refused.
    static func readAll(_ source: some WeightSource) throws {
        for name in source.tensorNames {
            let tensor = try source.require(name)
            var floats = [Float](repeating: 0, count: max(1, tensor.elementCount))
            let rows = tensor.elementCount == 0 ? 0 : tensor.rows
            do {
                try floats.withUnsafeMutableBufferPointer { if let out = $0.baseAddress { try tensor.decodeRows(0..<rows, into: out) } }
            } catch {
                guard !tensor.elementType.isDecodable else { throw error }
            }
        }
    }

    /// A forward and a backward pass over a few tokens, and one more token drawn.
    static func compute(_ model: LanguageModel) throws {
        let length = min(6, model.longestSequence), vocabulary = model.configuration.vocabularySize
        let tokens = (0..<length + 1).map { Int32((vocabulary - 1 + 37 * $0) % vocabulary) }
        try model.check(Array(tokens.dropLast()), of: "tokens")
        let sequence = TokenSequence(prompt: Array(tokens.prefix(max(1, length - 1))), answer: Array(tokens.suffix(min(2, length))))
        let pack = PackedSequences(microBatches: [[sequence]])
        precondition(model.logits(of: pack).count == pack.answerCount * vocabulary)
        try model.selectModules(model.editableModules.suffix(1).map(\.name))
        precondition(model.losses(of: pack).count == pack.answerCount)
        let reader = TextReader(model, capacity: length)
        let next = TokenChoice(temperature: 0.7).token(reader.read(Array(tokens.prefix(length))), index: 0)
        precondition(next >= 0 && next < vocabulary)
        _ = (model.fingerprint, model.weightMemory, model.weightTypes)
    }
}
