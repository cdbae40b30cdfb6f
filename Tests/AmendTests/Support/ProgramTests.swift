import Testing

/// Everything that starts processes, one after another: several jobs at a time would wait for each other on the same cores,
/// as ranks do not sleep while they wait.
@Suite(.serialized) enum ProgramTests {}
