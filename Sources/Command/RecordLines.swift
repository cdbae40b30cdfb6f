import Datasets
import Documents
import Evaluation
import Reporting

/// The lines of `evaluate --records`: of each record in order what its probes gave before, after all edits, before them with its own told in the prompt, and after its own alone, as shares from 0 to 1.
enum RecordLines {
    static func write(_ records: [RecordSummary], to file: LinesFile) throws {
        for (index, one) in records.enumerated() {
            try file.append([
                "number": .integer(one.record.origin?.number ?? index + 1), "id": .string(one.record.id), "prompt": .string(one.record.prompt),
                "target": .string(one.record.target), "before": json(one.before), "after": json(one.after),
                "inContext": one.inContext.map(json) ?? .null, "single": one.single.map(json) ?? .null,
            ])
        }
        try file.finish()
    }

    private static func json(_ outcomes: [Probe.Kind: RecordOutcome]) -> JSONValue {
        .object(JSONObject(Probe.Kind.ordered(outcomes.keys).compactMap { kind in outcomes[kind].map { (kind.name, $0.json) } }))
    }
}
