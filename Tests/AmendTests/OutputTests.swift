import Foundation
import TestSupport
import Testing

extension ProgramTests {
    /// `--json` prints one object and nothing else; its keys are a contract with whoever reads it.
    @Suite struct OutputTests {
        private enum Kind: String {
            case text, number, list, object, bool

            init?(_ value: Any) {
                switch value {
                case is String: self = .text
                case let number as NSNumber: self = String(cString: number.objCType) == "c" ? .bool : .number
                case is [Any]: self = .list
                case is [String: Any]: self = .object
                default: return nil
                }
            }
        }

        private static let scores = ["efficacy": Kind.number, "generalization": .number, "specificity": .number]

        @Test(arguments: [nil, 2]) func trainAndEvaluate(ranks: Int?) throws {
            let run = try TinyRun()
            let trained = try object(try run.amend("train", ranks: ranks))
            try expect(
                trained,
                [
                    "checkpoint": .text, "digest": .text, "batches": .number, "edits": .number, "updates": .number, "loss": .number,
                    "seconds": .number, "secondsPerEdit": .number, "ranks": .number,
                ])
            let digest = try #require(trained["digest"] as? String)
            #expect(digest.count == 64 && digest.allSatisfy { $0.isHexDigit && !$0.isUppercase })
            let checkpoint = try #require(trained["checkpoint"] as? String)
            #expect(FileManager.default.fileExists(atPath: checkpoint))

            let scored = try object(try run.amend("evaluate", ranks: ranks))
            try expect(
                scored,
                Self.scores.merging([
                    "protocol": .text, "edits": .number, "before": .object, "seconds": .number, "secondsPerEdit": .number, "ranks": .number,
                ]) { $1 })
            try expect(try #require(scored["before"] as? [String: Any]), Self.scores)

            let inspected = try object(try run.run(arguments: ["inspect", checkpoint, "--json"]))
            try expect(inspected, ["method": .text, "batches": .number, "digest": .text, "bytes": .number, "rawBytes": .number, "format": .number])
            #expect(inspected["digest"] as? String == digest && inspected["batches"] as? Int == 8 && inspected["method"] as? String == "emsedit")
            let newest = try object(try run.run(arguments: ["inspect", run.file("checkpoints").path, "--json"]))
            #expect(newest["digest"] as? String == digest)
        }

        /// sgemm between the batches changes nothing but what is printed.
        @Test(arguments: [nil, 2]) func trainBesideSgemm(ranks: Int?) throws {
            let run = try TinyRun(), plain = try TinyRun().train()
            let timed = try object(try run.amend("train", ranks: ranks, ["--time-sgemm"]))
            try expect(timed, ["sgemmGflops": .number, "sgemmBestGflops": .number, "shareOfSgemm": .number])
            #expect(timed["digest"] as? String == plain.digest)
            let (mean, best) = (try #require(timed["sgemmGflops"] as? Double), try #require(timed["sgemmBestGflops"] as? Double))
            let (seconds, operations) = (try #require(timed["seconds"] as? Double), try #require(timed["operations"] as? Double))
            #expect(0 < mean && mean <= best && 0 < seconds)
            #expect(abs(try #require(timed["shareOfSgemm"] as? Double) - operations / seconds / 1e9 / mean) < 1e-9)
            let result = try run.amend("train", ranks: ranks, ["--time-sgemm"]), again = try object(result)
            #expect(again["shareOfSgemm"] == nil && again["digest"] as? String == plain.digest)
            #expect(result.errors.contains("no batch left to train"), "\(result.errors)")
        }

        @Test func selftest() throws {
            let run = try TinyRun(), tests = packageRoot.appendingPathComponent("Tests")
            for (kind, source) in [("models/llama", "TransformerTests/Fixtures/llama"), ("tokenizers/smollm2", "TokenizationTests/Fixtures/smollm2")] {
                let copy = run.file("goldens/\(kind)")
                try FileManager.default.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
                try FileManager.default.copyItem(at: tests.appendingPathComponent(source), to: copy)
            }
            let arguments = ["selftest", "--goldens", run.file("goldens").path, "--json"]
            func cases(_ result: [String: Any]) throws -> [[String: Any]] {
                try expect(result, ["cases": .list, "passed": .number, "failed": .number])
                return try #require(result["cases"] as? [[String: Any]])
            }
            let good = try object(try run.run(arguments: arguments))
            for item in try cases(good) { try expect(item, ["name": .text, "worst": .number, "tolerance": .number, "passed": .bool]) }
            #expect(good["passed"] as? Int == 2 && good["failed"] as? Int == 0)

            // A case that cannot be read has failed; one of something not built is no case.
            try FileManager.default.removeItem(at: run.file("goldens/models/llama/golden.safetensors"))
            let strange = run.file("goldens/models/strange")
            try FileManager.default.createDirectory(at: strange, withIntermediateDirectories: true)
            try writeJSON(["model_type": "strange"], to: strange.appendingPathComponent("config.json"))
            let bad = try object(try run.run(arguments: arguments), status: 1)
            #expect(bad["passed"] as? Int == 1 && bad["failed"] as? Int == 1)
            #expect(try cases(bad).map { $0["name"] as? String } == ["models/llama", "tokenizers/smollm2"])
            #expect(try cases(bad).map { $0["passed"] as? Bool } == [false, true])
        }

        @Test func doctor() throws {
            let found = try object(try run(program: builtProgram("amend"), arguments: ["doctor", "--json"]))
            try expect(found, ["core": .text, "threads": .number, "sgemmGflops": .number, "problems": .list])
            #expect(found["mpi"] != nil)
        }

        /// Without `--json`, people are told the same.
        @Test func peopleAreToldTheSame() throws {
            let run = try TinyRun()
            let trained = try run.train()
            let text = try run.run(arguments: ["train", run.file("run.yaml").path])
            #expect(text.status == 0 && text.output.contains("digest \(trained.digest)") && text.output.contains(trained.checkpoint), "\(text)")
            let inspected = try run.run(arguments: ["inspect", trained.checkpoint])
            #expect(inspected.output.contains("digest \(trained.digest)") && inspected.output.contains("after 8 batches"), "\(inspected)")
        }

        // MARK: Helpers

        /// The only line on standard output, which is one JSON object.
        private func object(_ result: ProgramResult, status: Int32 = 0) throws -> [String: Any] {
            #expect(result.status == status, "\(result.errors)")
            #expect(result.output.hasSuffix("}\n") && result.output.split(separator: "\n").count == 1, "\(result.output)")
            return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        }

        /// Every key of the contract is there, with a value of its kind. Others may be there too.
        private func expect(_ object: [String: Any], _ keys: [String: Kind]) throws {
            for (key, kind) in keys {
                let value = try #require(object[key], "no '\(key)' in \(object.keys.sorted())")
                #expect(Kind(value) == kind, "'\(key)' is \(value)")
            }
        }
    }
}
