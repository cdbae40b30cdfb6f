import Documents
import Foundation
import LinearAlgebra
import Reporting
import TensorCore

/// Everything measured.
struct Report {
    struct Line {
        let kernel: Kernel
        let timing: Timing
        /// The yardstick's rate beside it, in operations or bytes per second.
        let yardstick: Double

        var gflops: Double { kernel.operations / timing.fastest / 1e9 }
        var gigabytesPerSecond: Double { kernel.bytes / timing.fastest / 1e9 }
        var share: Double { (kernel.yardstick == .sgemm ? kernel.operations : kernel.bytes) / timing.fastest / yardstick }
    }

    private let yardsticks: Yardsticks
    private let lines: [Line]
    private let checkpoint: CheckpointMeasurement?

    /// Measures, on the threads of the process.
    init(kernels: [Kernel], withCheckpoint: Bool) throws {
        let yardsticks = try Yardsticks()
        lines = kernels.map { kernel in
            let body = kernel.prepare(), before = yardsticks.sample(for: kernel)
            let timing = Timing(samples: 7, leastSeconds: 2e-3, mostSeconds: 0.2, body)
            return Line(kernel: kernel, timing: timing, yardstick: max(before, yardsticks.sample(for: kernel)))
        }
        checkpoint = withCheckpoint ? try CheckpointMeasurement() : nil
        self.yardsticks = yardsticks
    }

    var json: JSONObject {
        [
            "core": .string(OpenBLAS.core), "kernelVariant": .string(kernelVariant), "threads": .integer(Threads.count),
            "sgemmGflops": .number(yardsticks.sgemmGflops), "copyBytesPerSecond": .number(yardsticks.copyGigabytesPerSecond * 1e9),
            "kernels": .array(
                lines.map { line in
                    [
                        "name": .string(line.kernel.name), "operations": .number(line.kernel.operations), "bytes": .number(line.kernel.bytes),
                        "seconds": .number(line.timing.median), "fastestSeconds": .number(line.timing.fastest),
                        "slowestSeconds": .number(line.timing.slowest), "samples": .integer(line.timing.seconds.count),
                        "gflops": .number(line.gflops), "bytesPerSecond": .number(line.gigabytesPerSecond * 1e9),
                        "yardstick": .string(line.kernel.yardstick.rawValue), "yardstickRate": .number(line.yardstick), "share": .number(line.share),
                    ]
                }),
            "checkpoint": checkpoint.map { checkpoint in
                [
                    "bytes": .integer(checkpoint.bytes), "storedBytes": .integer(checkpoint.storedBytes),
                    "ratio": .number(Double(checkpoint.storedBytes) / Double(checkpoint.bytes)),
                    "writeSeconds": .number(checkpoint.write.median), "fastestWriteSeconds": .number(checkpoint.write.fastest),
                    "readSeconds": .number(checkpoint.read.median), "fastestReadSeconds": .number(checkpoint.read.fastest),
                ]
            } ?? .null,
        ]
    }

    /// For people, without a line feed at its end.
    var text: String {
        var table = TextTable(["kernel", "seconds", "spread %", "GFLOP/s", "GB/s", "share %", "of"])
        for line in lines {
            table.add([
                line.kernel.name, String(format: "%.3g", line.timing.median),
                String(format: "%.0f", (line.timing.slowest / line.timing.fastest - 1) * 100), String(format: "%.1f", line.gflops),
                String(format: "%.1f", line.gigabytesPerSecond), String(format: "%.0f", line.share * 100), line.kernel.yardstick.rawValue,
            ])
        }
        let head =
            "sgemm \(String(format: "%.1f", yardsticks.sgemmGflops)) GFLOP/s (OpenBLAS, \(OpenBLAS.core)), copy "
            + "\(String(format: "%.1f", yardsticks.copyGigabytesPerSecond)) GB/s read and written, on \(Threads.count) threads; \(kernelVariant) kernels"
        return ([head] + (lines.isEmpty ? [] : ["\n" + table.text.dropLast()]) + (checkpoint.map { ["\n" + text(of: $0)] } ?? []))
            .joined(separator: "\n")
    }

    private func text(of checkpoint: CheckpointMeasurement) -> String {
        func rate(_ timing: Timing) -> String {
            let rates = timing.seconds.map { Quantity.significant(Double(checkpoint.bytes) / $0 / 1e6, digits: 3) }
            return "\(Quantity.significant(Double(checkpoint.bytes) / timing.median / 1e6, digits: 3)) MB/s (\(rates.last ?? "") to \(rates.first ?? ""))"
        }
        return "checkpoint of \(Quantity.bytes(checkpoint.bytes)): written at \(rate(checkpoint.write)), read at \(rate(checkpoint.read)), "
            + "\(Quantity.percent(Double(checkpoint.storedBytes) / Double(checkpoint.bytes))) % of its size on disk"
    }
}
