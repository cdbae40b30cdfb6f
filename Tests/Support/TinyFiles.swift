import Foundation

/// A ``TinyModel`` with data and a configuration of `amend`, in a directory. A sequence is four batches of seven edits; their four
/// micro-batches are spread over five shards.
package enum TinyFiles {
    package static let batchesPerPass = 4
    package static let editsPerBatch = 7
    package static let modules = ["model.layers.1-2.mlp.gate_proj", "model.layers.2-3.mlp.down_proj"]

    /// Writes model, train.json, evaluation.json and run.yaml, whose checkpoints go to the directory `checkpoints` beside it.
    package static func write(to directory: URL, model: TinyModel = TinyModel()) throws {
        func file(_ name: String) -> URL { directory.appendingPathComponent(name) }
        try model.write(to: file("model"))
        try writeJSON(records(60, of: "s"), to: file("train.json"))
        try writeJSON(records(24, of: "e"), to: file("evaluation.json"))
        try configuration { file($0).path }.write(to: file("run.yaml"), atomically: true, encoding: .utf8)
    }

    private static func configuration(_ path: (String) -> String) -> String {
        """
        model: {path: \(path("model"))}
        editor:
          modules: [\(modules.map { "\"\($0)\"" }.joined(separator: ", "))]
          rank: 8
          blocks: 2
          meta_learning_rate: 1.0e-3
        data:
          train: {path: \(path("train.json"))}
          evaluation: {path: \(path("evaluation.json"))}
          edits_per_batch: \(editsPerBatch)
          batches: \(batchesPerPass)
          micro_batch: 2
        training: {passes: 2, update_every: 3}
        evaluation: {batches: 2}
        checkpoint: {directory: \(path("checkpoints")), every: 1}
        run: {seed: 5, shards: 5, threads: 1}
        """
    }

    /// Flat CounterFact records.
    package static func records(_ count: Int, of letter: String) -> [[String: String]] {
        let colors = ["red", "blue", "green", "black", "white"]
        return (0..<count).map { index in
            let color = { (step: Int) in colors[(index + step) % colors.count] }
            return [
                "subject": "\(letter)\(index)", "prompt": "The color of \(letter)\(index) is", "target_new": color(0), "ground_truth": color(2),
                "rephrase_prompt": "\(letter)\(index) has color", "locality_prompt": "t\(index) is", "locality_ground_truth": color(1),
            ]
        }
    }
}
