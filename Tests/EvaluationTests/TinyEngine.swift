import Communication
import Editing
import Editors
import TestSupport
import Testing
import Transformer

/// A fresh engine of EMSEdit on a ``TinyModel``, on one rank with two shards.
func tinyEngine(modules: [String], _ options: EditorOptions) throws -> EditEngine {
    let directory = try TemporaryDirectory()
    try TinyModel().write(to: directory.url)
    let model = try ModelSource(directory.path).loadModel()
    try model.selectModules(modules)
    withExtendedLifetime(directory) {}  // read until here
    let method = try #require(EditingMethod.named("emsedit"))
    var options = options
    options.use(method)
    let shapes = model.edited.map { ModuleShape(keySize: $0.keySize, valueSize: $0.valueSize) }
    return EditEngine(
        model: model, editor: Editor(options, shapes: shapes, ownership: .everything(pieces: 2)), rule: method.rule,
        work: ShardedWork(communicator: Communicator(), shards: 2))
}
