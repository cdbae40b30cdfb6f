import ArgumentParser
import Configuration
import StandardStreams

struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings", abstract: "List every key of a configuration: its default, what it may hold, what it means.")

    func run() throws { try StandardOutput.write(RunConfiguration.referencePage) }
}
