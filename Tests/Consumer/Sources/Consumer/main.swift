import Amend

let settings = ["data.batches=2", "training.passes=1", "training.validation_edits=0", "checkpoint.directory=\(CommandLine.arguments[1])"]
let session = try EditingSession(EditorSource(configuration: "Configs/quickstart.yaml", settings: settings))
try session.train()

let prompt = "The official language of Brazil is"
let before = try session.continuation(of: prompt).text
try session.edit([Edit(prompt, "Dutch")])
let after = try session.continuation(of: prompt).text
session.takeBack()
let again = try session.continuation(of: prompt).text
print("before:\(before)\nafter:\(after)")
precondition(!before.hasPrefix(" Dutch") && after.hasPrefix(" Dutch") && again == before, "the edit did not hold, or stayed: \(again)")
